"""MiniWoB++: small pages, each with one instruction and a reward of its own, played by pixels only."""
