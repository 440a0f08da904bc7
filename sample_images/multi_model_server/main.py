"""Starts the Multi Model Server; with SAGEMAKER_MULTI_MODEL=true it begins with no model at all."""

from sagemaker_inference import model_server

model_server.start_model_server(handler_service="/opt/program/handler.py:handle")
