"""What `dumpsys` and `uiautomator` say about the phone: the lines that clients look for, in their own form."""

from html import escape

from environments.simulated_android.apps import LABELS
from environments.simulated_android.phone import Phone


def power(phone: Phone) -> str:
    return f"POWER MANAGER (dumpsys power)\n\nPower Manager State:\n  mWakefulness={_wakefulness(phone)}\n"


def window(phone: Phone) -> str:
    held, size = phone.shown, phone.size
    focus = f"{phone.foreground}/{phone.foreground}.Main"
    locked = str(phone.locked).lower()
    return (
        "WINDOW MANAGER DISPLAY CONTENTS (dumpsys window displays)\n"
        "  Display: mDisplayId=0 (organized)\n"
        f"    init={size} 480dpi cur={held} app={held} rng={size.width}x{size.width}-{size.height}x{size.height}\n"
        f"  mCurrentFocus=Window{{5a7c2e1 u0 {focus}}}\n"
        f"  mFocusedApp=ActivityRecord{{97aec2f u0 {focus} t12}}\n"
        f"  mRotation=ROTATION_{90 * phone.rotation}\n"
        f"  mShowingDream=false mDreamingLockscreen={locked}\n"
    )


def activity(phone: Phone) -> str:
    front = f"{phone.foreground}/.Main"
    return f"ACTIVITY MANAGER ACTIVITIES\n    topResumedActivity=ActivityRecord{{97aec2f u0 {front} t12}}\n"


def display(phone: Phone) -> str:
    held = phone.shown
    return (
        "DISPLAY MANAGER (dumpsys display)\n  mViewports=[DisplayViewport{type=INTERNAL, valid=true, displayId=0, "
        f"orientation={phone.rotation}, deviceWidth={held.width}, deviceHeight={held.height}}}]\n"
        f"  mState={'ON' if phone.awake else 'OFF'}\n"
    )


def input_method(phone: Phone) -> str:
    return f"Current Input Method Manager state:\n  mCurMethodId={phone.keyboard}\n  mInteractive={_flag(phone)}\n"


DUMPS = {"power": power, "window": window, "activity": activity, "display": display, "input_method": input_method}


def activities(_phone: Phone) -> str:
    """What can be started from the launcher, as `cmd package query-activities` lists it."""
    found = [f"{len(LABELS)} activities found:"]
    for number, (package, label) in enumerate(LABELS.items()):
        found += [
            f"  Activity #{number}:",
            "    priority=0 preferredOrder=0 match=0x108000 specificIndex=-1 isDefault=true",
            "    ActivityInfo:",
            f"      name={package}.Main",
            f"      packageName={package}",
            f"      labelRes=0x0 nonLocalizedLabel={label} icon=0x7f0a0000 banner=0x0",
        ]
    return "\n".join(found) + "\n"


_NODES = """(() => [...document.querySelectorAll("button, input, textarea, a, h1, .row, .said")].map(element => {
  const box = element.getBoundingClientRect();
  const text = element.value ?? element.innerText ?? "";
  return [text, [box.left, box.top, box.right, box.bottom].map(edge => Math.round(edge * devicePixelRatio))];
}))()"""


def hierarchy(phone: Phone) -> str:
    """The controls on the screen as `uiautomator dump` writes them."""
    nodes = "".join(
        f'<node index="{index}" text="{escape(str(text))}" package="{phone.foreground}" '
        f'bounds="[{left},{top}][{right},{bottom}]"/>'
        for index, (text, (left, top, right, bottom)) in enumerate(phone.screen.ask(_NODES))
    )
    head = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>"
    return f'{head}<hierarchy rotation="{phone.rotation}">{nodes}</hierarchy>'


def _wakefulness(phone: Phone) -> str:
    return "Awake" if phone.awake else "Asleep"


def _flag(phone: Phone) -> str:
    return str(phone.awake).lower()
