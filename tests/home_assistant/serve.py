#!/usr/bin/env python3
"""Serves a real Home Assistant, without its frontend, on a port of this machine.

    tests/home_assistant/serve.py FOLDER PORT [MQTT_PORT]

FOLDER holds its configuration, its database and a long-lived token (`token`); what is missing is made. With MQTT_PORT it is
connected to a broker there. The first line on standard output says that it is up; it serves until standard input ends, then it is
stopped as by its user. The packages come from PyPI and are kept in $XDG_CACHE_HOME/hearth-home-assistant
(~/.cache/hearth-home-assistant). Exit code 77: they cannot be had.
"""

import asyncio
import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import zipfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hearth-home-assistant"
VERSION = "2024.3.3"
# What it would install itself when it starts, in the versions that it names.
BESIDE = "Pillow SQLAlchemy fnv-hash-fast home-assistant-frontend janus numpy paho-mqtt psutil-home-assistant securetar==2024.2.1".split()
# What it needs that is younger than it is, and changed since.
OLDER = ["josepy<2", "setuptools<81"]
UNAVAILABLE = 77
PATIENCE = 120  # seconds until it must be up, on a busy machine

CONFIGURATION = """\
homeassistant:
  name: Home
  time_zone: Europe/Berlin
  latitude: 52.5
  longitude: 13.4
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
websocket_api:
config:
recorder:
history:
logger:
  default: warning
input_boolean:
  hall_light:
  kitchen_light:
  bedroom_light:
  front_door:
  television:
  kettle:
input_select:
  season:
    options: [winter, spring, summer, autumn]
template:
  - binary_sensor:
      - name: Door
        unique_id: door
        device_class: door
        state: "{{{{ is_state('input_boolean.front_door', 'on') }}}}"
  - sensor:
      - name: Lit
        unique_id: lit
        state: "{{{{ states.input_boolean | selectattr('state', 'eq', 'on') | list | count }}}}"
"""


def unavailable(what):
    """Says what cannot be had, and ends."""
    print(f"cannot install {what}", file=sys.stderr)
    sys.exit(UNAVAILABLE)


def installed():
    """The Python of an environment that has it."""
    home = CACHE / "venv"
    python, done = home / "bin" / "python", home / VERSION
    if done.exists():
        return python
    base = shutil.which("python3.11")
    if base is None:
        unavailable(f"Home Assistant {VERSION} without Python 3.11")
    wheels = CACHE / "wheels"
    pip = ["-m", "pip", "--quiet", "--disable-pip-version-check"]
    commands = [
        [base, "-m", "venv", home],
        # Its own list of versions: without it pip would try hundreds.
        [python, *pip, "download", "--no-deps", "--dest", wheels, f"homeassistant=={VERSION}"],
        [python, *pip, "install", "-c", wheels / "homeassistant" / "package_constraints.txt", f"homeassistant=={VERSION}", *BESIDE, *OLDER],
    ]
    for command in commands:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
            unavailable(f"Home Assistant {VERSION}")
        for wheel in wheels.glob("homeassistant-*.whl"):
            zipfile.ZipFile(wheel).extract("homeassistant/package_constraints.txt", wheels)
    done.touch()
    return python


async def up(http, url):
    """Waits until it answers."""
    import aiohttp

    for _ in range(10 * PATIENCE):
        try:
            async with http.get(f"{url}/api/") as answer:
                if answer.status == 401:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    sys.exit("Home Assistant does not come up")


async def started(http, url, access):
    """Waits until all of it has started."""
    headers = {"Authorization": f"Bearer {access}"}
    for _ in range(10 * PATIENCE):
        async with http.get(f"{url}/api/config", headers=headers) as answer:
            if (await answer.json())["state"] == "RUNNING":
                return
        await asyncio.sleep(0.1)
    sys.exit("Home Assistant does not start")


async def token(http, url):
    """A long-lived token of its one user."""
    who = {"client_id": url, "handler": ["homeassistant", None], "redirect_uri": url}
    flow = await (await http.post(f"{url}/auth/login_flow", json=who)).json()
    login = {"client_id": url, "username": "me", "password": "secret"}
    flow = await (await http.post(f"{url}/auth/login_flow/{flow['flow_id']}", json=login)).json()
    grant = {"client_id": url, "grant_type": "authorization_code", "code": flow["result"]}
    access = (await (await http.post(f"{url}/auth/token", data=grant)).json())["access_token"]
    async with http.ws_connect(f"{url}/api/websocket") as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": access})
        await socket.receive_json()
        await socket.send_json({"id": 1, "type": "auth/long_lived_access_token", "client_name": "Hearth", "lifespan": 365})
        return (await socket.receive_json())["result"]


async def broker(http, url, access, port):
    """Connects it to a broker."""
    headers = {"Authorization": f"Bearer {access}"}
    flows = f"{url}/api/config/config_entries/flow"
    flow = await (await http.post(flows, json={"handler": "mqtt"}, headers=headers)).json()
    entry = {"broker": "127.0.0.1", "port": port}
    flow = await (await http.post(f"{flows}/{flow['flow_id']}", json=entry, headers=headers)).json()
    if flow.get("type") != "create_entry":
        sys.exit(f"no broker: {flow}")


async def make(folder, url, mqtt):
    """Waits until it is up, and makes what is missing."""
    import aiohttp

    async with aiohttp.ClientSession() as http:
        await up(http, url)
        kept = folder / "token"
        if not kept.exists():
            access = await token(http, url)
            if mqtt:
                await broker(http, url, access, mqtt)
            kept.write_text(access)
        await started(http, url, kept.read_text())


def serve(folder, port, mqtt):
    """Serves it until standard input ends."""
    hass = [sys.executable, "-m", "homeassistant", "--config", folder, "--skip-pip"]
    if not (folder / "configuration.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=port))
        user = [sys.executable, "-m", "homeassistant", "--script", "auth", "--config", folder, "add", "me", "secret"]
        subprocess.run(user, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
    with open(folder / "log", "a") as log:
        server = subprocess.Popen(hass, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        asyncio.run(make(folder, f"http://127.0.0.1:{port}", mqtt))
        print("up", flush=True)
        sys.stdin.read()
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)
    finally:
        server.kill()
        server.wait()


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    if pathlib.Path(sys.prefix) != CACHE / "venv":
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one installs, the others wait
            python = installed()
        os.execv(python, [python, __file__, *sys.argv[1:]])
    folder, port, *mqtt = sys.argv[1:]
    serve(pathlib.Path(folder).absolute(), int(port), int(mqtt[0]) if mqtt else None)


if __name__ == "__main__":
    main()
