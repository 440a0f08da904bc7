"""The service's own limits: the one source of what a request may hold.

`load` gives the model of an API operation, `check` lists what is wrong with a request, `require` refuses it.
"""

from __future__ import annotations

from sm_emulate.request.service_model import Limit, OperationModel, load
from sm_emulate.request.validate import Problem, check, require

__all__ = ["Limit", "OperationModel", "Problem", "check", "load", "require"]
