"""Makes the seed corpus of the target `read` from the cases under tests/: one input for each source of each case.

Run it in this folder: `python3 seeds.py`. It needs Python 3.11 or later. The shape of an input stands in
fuzz_targets/read.rs.
"""

import hashlib
import pathlib
import tomllib

HOW = {"access": 0, "lambda": 2, "execution": 3}
WITH_FORMAT = 1
BETWEEN = "\x1e"

corpus = pathlib.Path("corpus/read")
corpus.mkdir(parents=True, exist_ok=True)
tests = pathlib.Path("../tests")
seeds = set()
for file in sorted([*tests.glob("corpus/*.toml"), *tests.glob("scenarios/*.toml")]):
    document = tomllib.loads(file.read_text())
    for case in document.get("case", [document]):
        apis = tomllib.loads(case.get("config", "")).get("api", [])
        formats = [api["access_log_format"] for api in apis if "access_log_format" in api]
        for source, how in HOW.items():
            for given in case.get(source, []):
                events = [event["text"] for event in given.get("events", [])] or given.get("text", "").splitlines()
                text = BETWEEN.join(events[:40])
                seeds.add(bytes([how]) + text.encode())
                if source == "access":
                    seeds.update(bytes([WITH_FORMAT]) + f"{format}{BETWEEN}{text}".encode() for format in formats)
for seed in seeds:
    (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
print(f"{len(seeds)} seeds in {corpus}")
