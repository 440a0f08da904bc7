"""SageMaker's container runtime on your own machine.

The public door is `sm_emulate.api`; everything else may change without notice.
"""

__version__ = "0.1.0"
