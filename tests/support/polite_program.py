"""A program for the supervisor: says who it is, and goodbye when it is asked to stop."""

import atexit
import os
import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    atexit.register(sys.stdout.write, "bye\n")
    said = [os.getpid(), os.getsid(0), os.environ["GREETING"], "HOME" in os.environ, *sys.argv[1:]]
    sys.stdout.write(" ".join(map(str, said)) + "\n")
    sys.stdout.flush()
    while True:
        signal.pause()
