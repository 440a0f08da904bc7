"""A model is a file of words; it answers with them and with the payload."""

import pathlib

from sagemaker_inference.default_inference_handler import DefaultInferenceHandler


class Words(DefaultInferenceHandler):
    def default_model_fn(self, model_dir, context=None):
        return pathlib.Path(model_dir, "words.txt").read_text().strip()

    def default_input_fn(self, input_data, content_type, context=None):
        return input_data if isinstance(input_data, str) else bytes(input_data).decode()

    def default_predict_fn(self, data, model, context=None):
        return f"{model}: {data}"

    def default_output_fn(self, prediction, accept, context=None):
        return prediction, "text/plain"
