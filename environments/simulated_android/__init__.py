"""A simulated Android device that a real adb server connects to: a live mobile web page behind the ADB protocol.

Read in this order: device (what it is made of), transport (the protocol), services, shell, commands, screen.
"""
