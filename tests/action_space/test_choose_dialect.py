"""Which dialect a published checkpoint speaks."""

import pytest

from action_space.dialects import DIALECTS
from action_space.dialects.choose import dialect_for

QWEN: dict[str, object] = {"model_type": "qwen2_5_vl"}
PUBLISHED = {
    "ByteDance-Seed/UI-TARS-1.5-7B": "ui_tars",
    "HelloKKMe/GTA1-7B": "gta1",
    "Salesforce/GTA1-7B-2507": "gta1",
    "Salesforce/GTA1-32B": "gta1",
    "mPLUG/GUI-Owl-7B": "gui_owl",
    "mPLUG/GUI-Owl-32B": "gui_owl",
    "Hcompany/Holo1-3B": "holo1",
    "Hcompany/Holo1-7B": "holo1",
    "Hcompany/Holo1.5-3B": "holo1_5",
    "Hcompany/Holo1.5-7B": "holo1_5",
    "Hcompany/Holo1.5-72B": "holo1_5",
    "inclusionAI/UI-Venus-Ground-7B": "ui_venus_ground",
    "inclusionAI/UI-Venus-Ground-72B": "ui_venus_ground",
    "inclusionAI/GUI-G2-7B": "ui_venus_ground",
    "inclusionAI/UI-Venus-Navi-7B": "ui_venus_navi",
    "inclusionAI/UI-Venus-Navi-72B": "ui_venus_navi",
    "InfiX-ai/InfiGUI-R1-3B": "infigui",
    "InfiX-ai/InfiGUI-G1-3B": "infigui",
    "InfiX-ai/InfiGUI-G1-7B": "infigui",
    "microsoft/Fara-7B": "fara",
    "xlangai/Jedi-3B-1080p": "computer_use",
    "xlangai/Jedi-7B-1080p": "computer_use",
    "Qwen/Qwen2.5-VL-3B-Instruct": "computer_use",
    "Qwen/Qwen2.5-VL-72B-Instruct": "computer_use",
}
OTHERS = [
    *("ByteDance-Seed/UI-TARS-7B-SFT", "bytedance-research/UI-TARS-72B-DPO", "mPLUG/GUI-Owl-1.5-8B-Instruct"),
    *("inclusionAI/UI-Venus-1.5-8B", "Hcompany/Holo2-8B", "xlangai/OpenCUA-7B", "microsoft/GUI-Actor-7B-Qwen2.5-VL"),
    *("microsoft/Fara-1.5-8B", "ritzzai/GUI-R1-7B", "Qwen/Qwen3-VL-8B-Instruct", "Qwen/Qwen2-VL-7B-Instruct"),
    *("Qwen/Qwen2.5-7B-Instruct", "my-own-model", "", "/", "osunlp/UGround-V1-7B", "Holo10-7B", "GUI-G20"),
]


def test_every_family_is_chosen_by_some_name() -> None:
    assert set(PUBLISHED.values()) <= set(DIALECTS)


@pytest.mark.parametrize(("name", "dialect"), PUBLISHED.items())
def test_published_names(name: str, dialect: str) -> None:
    model = name.rpartition("/")[2]
    for written in (
        *(name, model, name.lower(), name.upper(), f"{name}-AWQ", f"someone/{model}-GGUF", f"{model}-Q4_K_M.gguf"),
        *(f"/models/{name}", f"/models/{model}/", f"C:\\models\\{model}", model.replace(".", "_"), f"{name}:latest"),
        f"/cache/hub/models--{name.replace('/', '--')}/snapshots/0123abcd",
    ):
        assert dialect_for(written, QWEN) == dialect, written
        assert dialect_for(written, {}) == dialect, written


@pytest.mark.parametrize("name", OTHERS)
def test_other_names(name: str) -> None:
    assert dialect_for(name, {}) is None


@pytest.mark.parametrize("architecture", ["qwen2_vl", "qwen3_vl", "opencua", None, 5])
def test_another_architecture_has_no_dialect(architecture: object) -> None:
    assert dialect_for("UI-TARS-1.5-7B", {"model_type": architecture}) is None


def test_what_the_checkpoint_states_counts_first() -> None:
    assert dialect_for("UI-TARS-1.5-7B", {**QWEN, "clickwright": {"dialect": "compact"}}) == "compact"
    assert dialect_for("UI-TARS-1.5-7B", {**QWEN, "clickwright": {"dialect": 5}}) == "ui_tars"
    assert dialect_for("UI-TARS-1.5-7B", {**QWEN, "clickwright": "compact"}) == "ui_tars"


def test_the_name_under_which_a_copy_was_saved_counts_last() -> None:
    saved = {**QWEN, "_name_or_path": "mPLUG/GUI-Owl-7B"}
    assert dialect_for("my-copy", saved) == "gui_owl"
    assert dialect_for("UI-TARS-1.5-7B", saved) == "ui_tars"
    assert dialect_for("my-copy", {**QWEN, "_name_or_path": 5}) is None
    assert dialect_for("/jobs/fara-7b/my-copy", QWEN) is None
