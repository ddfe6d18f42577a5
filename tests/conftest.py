"""Settings for every test."""

import os

import hypothesis

# Pictures are drawn without a screen, also in the processes that tests start.
os.environ["MPLBACKEND"] = "Agg"

# Compilation makes the time of an example say nothing. On a server the examples are the same
# every time, so that a failure there is a failure everywhere.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("server", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("server" if os.environ.get("CI") else "local")
