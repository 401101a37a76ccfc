"""What request lines will use and cost, before anybody pays for them."""

from geminate.stages.estimates.costs import format_usd
from geminate.stages.estimates.estimator import Estimate, Estimator
from geminate.stages.estimates.meter import RequestMeter
from geminate.stages.estimates.ranges import Range
from geminate.stages.estimates.usage import Usage, UsageMeter

__all__ = ["Estimate", "Estimator", "Range", "RequestMeter", "Usage", "UsageMeter", "format_usd"]
