"""LaMa on CPU threads: ONNX Runtime behind the tensor contract, in Triton's Python backend.

Parameters in config.pbtxt: `intra_op_threads` (0 = every core this process may use).
"""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One session an instance; each request gets its own answer, or its own error."""

    def initialize(self, args):
        """Load the graph that lies beside this file."""
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
        options = ort.SessionOptions()
        threads = int(parameters.get("intra_op_threads", "0"))
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        # Spinning workers steal the cores of the service's own threads.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        self.session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.shapes = {entry["name"]: tuple(int(d) for d in entry["dims"]) for entry in config["input"]}

    def execute(self, requests):
        """Answer every request of a batch, one after another: batching gains nothing on a CPU."""
        return [self.answer(request) for request in requests]

    def answer(self, request):
        """One request's response: the inpainted tiles, or an error that says what is wrong with it."""
        if request.is_cancelled():
            return _error("cancelled")
        feed = {}
        for name, shape in self.shapes.items():
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            if tensor is None:
                return _error(f"input {name} is missing")
            feed[name] = tensor.as_numpy()
            if feed[name].dtype != np.uint8 or feed[name].ndim != 4 or feed[name].shape[1:] != shape:
                return _error(f"input {name}: uint8 [batch, {', '.join(map(str, shape))}] is needed")
        if len(feed["image"]) != len(feed["mask"]):
            return _error(f"{len(feed['image'])} images but {len(feed['mask'])} masks")
        try:
            tiles = [
                self.session.run(["inpainted"], {name: value[i : i + 1] for name, value in feed.items()})[0]
                for i in range(len(feed["image"]))
            ]
        except Exception as error:  # ONNX Runtime's exceptions share no base class.
            return _error(f"ONNX Runtime: {error}")
        return pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", np.concatenate(tiles))])


def _error(message):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message))
