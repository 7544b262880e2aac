"""Makes one_device.json: what scenarios give on one device, PyTorch, float32.

KERAS_BACKEND=torch python -m tests.distribution.make_one_device
"""

import json
from pathlib import Path

from tests.distribution import scenarios

STORED = Path(__file__).with_name("one_device.json")
NAMES = ("convit", "cait", "cut_mixmo", "averaged", "accumulated", "on_device")

if __name__ == "__main__":
    found = {name: getattr(scenarios, name)() for name in NAMES}
    STORED.write_text(json.dumps(found, indent=1) + "\n")
