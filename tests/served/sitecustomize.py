"""With this folder on its path every command has a thread of its own, so that its workers are forked from a server."""

import sys
import threading

if "cnnfilter" in sys.orig_argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
