import sys, os, time
from pathlib import Path

sys.path[:0] = ["/tmp/atk/old/src", "/tmp/atk/old"]
import gnomon

assert "/tmp/atk/old" in gnomon.__file__, gnomon.__file__
from gnomon.settings import Settings
from gnomon.shadow.log import SegmentWriter, new_request_id
from gnomon.shadow.log.layout import stream_folder
from gnomon.shadow.log.seal import Sealer
from tests.shadow.log.rows import REQUESTS_SCHEMA, live

root = sys.argv[1]
setup = Settings(root=root)
folder = stream_folder(setup, "flights", "a", "requests")
s = Sealer(setup, "flights")


def some(n):
    for i in range(n):
        w = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
        w.append(live([new_request_id()]))
        w.rotate()
        w.close()
        s.seal()


log = Path(root, "log", "flights", "_delta_log")
some(int(sys.argv[2]))
old = time.time() - 3 * 86400
for f in log.parent.rglob("*"):
    if f.is_file():
        os.utime(f, (old, old))
some(int(sys.argv[3]))
s.maintain()
from gnomon.shadow.log import InferenceLog

print("old release:", InferenceLog(setup, "flights").table(columns=["request_id"]).num_rows)
n = sorted(p.name for p in log.iterdir())
print(len(n), n[:2], n[-3:])
