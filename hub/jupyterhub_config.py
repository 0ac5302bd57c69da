"""JupyterHub for one Linux server and a class of forty; `sudo python3 course.py hub` starts it.

Whoever is in the system's group `tinyfrontier` may log in with the system's password (accounts.py makes both), and
whoever is in `tinyfrontier-teachers` may also look into the servers of others. Each student gets a server of their own
under their own account, so files are guarded by the operating system. What can be changed without editing this file:

| environment variable | is | if not set |
|---|---|---|
| TINYFRONTIER_HUB_URL | where the hub listens | http://:8000 |
| TINYFRONTIER_HUB_STATE | folder for its database and cookie secret | /var/lib/tinyfrontier-hub |
| TINYFRONTIER_HUB_MEMORY | memory a student | 1.5G |
| TINYFRONTIER_HUB_IDLE | seconds without activity after which a server is stopped | 3600 |
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821 - JupyterHub puts it there

ROOM = Path(__file__).resolve().parent
STATE = Path(os.environ.get("TINYFRONTIER_HUB_STATE", "/var/lib/tinyfrontier-hub"))
STATE.mkdir(mode=0o700, parents=True, exist_ok=True)

sys.path.insert(0, str(ROOM))
from start import closed_to_students  # noqa: E402 - found beside this file

closed = closed_to_students(Path(sys.executable), ROOM / "start.py", ROOM.parent / "notebooks" / "00_start_here.ipynb")
if closed and os.geteuid() == 0 and not os.environ.get("TINYFRONTIER_HUB_MADE_UP"):  # rehearse.py's own students
    raise SystemExit(
        "Students' accounts cannot reach the course or its Python: open to others (chmod o+rx), or install elsewhere: "
        + ", ".join(map(str, closed))
    )

c.JupyterHub.bind_url = os.environ.get("TINYFRONTIER_HUB_URL", "http://:8000")
c.JupyterHub.db_url = f"sqlite:///{STATE / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.command = [sys.executable, str(ROOM / "proxy.py")]
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")

c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {"tinyfrontier", "tinyfrontier-teachers"}
c.PAMAuthenticator.admin_groups = {"tinyfrontier-teachers"}
c.PAMAuthenticator.open_sessions = False  # sessions are for shells; some servers allow a user only one

# systemd enforces the limits. Elsewhere, as in a container, start.py limits each process' memory, nobody the cores.
under_systemd = Path("/run/systemd/system").is_dir() and os.geteuid() == 0
c.JupyterHub.spawner_class = "systemd" if under_systemd else "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [sys.executable, str(ROOM / "start.py")]
c.Spawner.mem_limit = os.environ.get("TINYFRONTIER_HUB_MEMORY", "1.5G")
c.Spawner.cpu_limit = 1.0
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.readonly_paths = [str(ROOM.parent)]
# A class logs in within a minute, and a start takes seconds of a core: nobody is sent away, everybody waits a little.
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300
c.JupyterHub.active_server_limit = 0
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 1}  # seconds until the page that waits; a browser holds no place

c.JupyterHub.load_roles = [
    {
        "name": "culler",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]
idle = os.environ.get("TINYFRONTIER_HUB_IDLE", "3600")
c.JupyterHub.services = [
    {
        "name": "culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={idle}", "--cull-every=120"],
    }
]
