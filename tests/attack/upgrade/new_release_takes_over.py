import sys
from pathlib import Path

sys.path.insert(0, "/work/w/attack")
from gnomon.settings import Settings
from gnomon.shadow.log import InferenceLog
from gnomon.shadow.log.seal import Sealer
from gnomon.shadow.log.repair import repair

setup = Settings(root=sys.argv[1])


def look(w):
    try:
        print(w, InferenceLog(setup, "flights").table(columns=["request_id"]).num_rows)
    except Exception as e:
        print(w, "FAILED", e)


look("new release, before sealing")
for i in range(3):
    print("round", i, Sealer(setup, "flights").work())
    look("rows")
try:
    print(repair(setup, "flights"))
except Exception as e:
    print("repair FAILED", e)
