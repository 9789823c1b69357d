"""Takes a minute to initialise."""

import time

time.sleep(60)
