"""Eyes and hands: one file per kind of device."""
