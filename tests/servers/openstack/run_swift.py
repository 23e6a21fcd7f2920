"""Run Swift in one process, in its own virtual environment: DIRECTORY, and the port of each server.

The configurations are in DIRECTORY/etc; its rings are made here, each of one device.
"""

import os
import sys
import time

ETC, PORTS = os.path.join(sys.argv[1], "etc"), list(map(int, sys.argv[2:]))
SERVERS = dict(zip(("account", "container", "object", "proxy"), PORTS, strict=True))

# Before all other imports of Swift: some of them read swift.conf.
from swift.common import utils  # noqa: E402

utils.set_swift_dir(ETC)

from swift.common import wsgi  # noqa: E402
from swift.common.concurrency import eventlet  # noqa: E402
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402

for name, port in SERVERS.items():
    file = os.path.join(ETC, f"{name}.ring.gz")
    if name != "proxy" and not os.path.exists(file):
        builder = RingBuilder(part_power=1, replicas=1, min_part_hours=0)
        place = {"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1"}
        builder.add_dev({"id": 0, "weight": 1.0, "meta": "", **place})
        builder.rebalance()
        builder.get_ring().save(file)

os.environ["TZ"] = "UTC+0"
time.tzset()
# Not run_server: that starts one server, and may be called once in a process.
eventlet.hubs.use_hub(utils.get_hub())
# The proxy comes last: once it answers, so do the others.
for name, port in SERVERS.items():
    conf, _, settings, _ = wsgi.check_config(
        os.path.join(ETC, f"{name}-server.conf"), f"{name}-server", verbose=True
    )
    app = wsgi.loadapp(conf["__file__"], global_conf=settings)
    # Swift's own way of listening shares a port with another Swift that has it.
    sock = eventlet.listen(("127.0.0.1", port), backlog=4096, reuse_port=False)
    serving = eventlet.spawn(
        eventlet.wsgi.server,
        sock,
        app,
        utils.NullLogger(),
        protocol=SwiftHttpProtocol,
        capitalize_response_headers=False,
        socket_timeout=float(conf["client_timeout"]),
    )
serving.wait()
