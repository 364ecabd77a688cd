"""What every test shares: the hypothesis profiles. Fixtures live beside the tests that use them."""

import os

from hypothesis import HealthCheck, settings

# `dev` is quick and finds something new each time. `ci` repeats itself, so that a red run can be trusted, and
# has no deadline, because its machine is shared.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci", max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
