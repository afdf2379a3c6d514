"""Train the tiny model of the widgets Network and Session again if its recipe has changed (a minute).

python tools/tiny_model.py            train it unless the stored one was made by this recipe
python tools/tiny_model.py --check    write nothing; exit 1 if it would train
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import gru4rec_lite as g4r
from gru4rec_lite import recommender
from gru4rec_lite.internal import files

STORED = Path(__file__).parents[1] / "gru4rec_lite/widgets/tiny_model.safetensors"
SESSIONS, SEED = 30_000, 0
DIGITS = 3  # digits of every weight: the page has the same numbers as Python, in few characters
SETTINGS = {
    "layers": (16,), "embedding": "shared", "n_samples": 512, "dropout_hidden": 0.0, "learning_rate": 0.1,
    "n_epochs": 8, "compile": False, "device": "cpu",
}  # fmt: skip


def main() -> None:
    clicks = g4r.toyshop.simulate(SESSIONS, SEED)
    log = g4r.clicks.encode(clicks)
    model = g4r.GRU4Rec(**SETTINGS)
    header = {
        "model": "GRU4Rec", "settings": {name: getattr(model, name) for name in model.__dataclass_fields__},
        "digits": DIGITS, "clicks": files.fingerprint(log.items, log.offsets), "items": log.index.tolist(),
    }  # fmt: skip
    recipe = files.from_bytes(files.to_bytes(header))  # as read back from a file: tuples become lists
    with suppress(FileNotFoundError, ValueError):  # an older format, for example
        if {name: files.read(STORED)[1].get(name) for name in recipe} == recipe:
            return
    if "--check" in sys.argv:
        sys.exit("the tiny model of the widgets is stale: run make refresh")
    model.fit(g4r.clicks.prepare(clicks, min_session=2, min_support=1, drop_repeats=True))
    tensors = {name: tensor.mul(10**DIGITS).round().div(10**DIGITS) for name, tensor in model.tensors().items()}
    files.write(STORED, {**tensors, recommender.ITEMS: files.to_bytes(model.items.tolist())}, header)
    print(f"trained again: {STORED.name}, {STORED.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
