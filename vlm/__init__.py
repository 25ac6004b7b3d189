"""Qwen2.5-VL: the network, its inputs and the ways to run it. Torch lives here and nowhere else."""
