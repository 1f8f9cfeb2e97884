"""Telea (2004), as OpenCV has it, behind the tensor contract."""

import cv2
import numpy as np
import triton_python_backend_utils as pb_utils

#: OpenCV's own examples use 3 px; larger only blurs.
RADIUS = 3


class TritonPythonModel:
    """One batch is a list of requests; each gets its own answer, or its own error."""

    def initialize(self, args):
        cv2.setNumThreads(1)

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    @staticmethod
    def _answer(request):
        try:
            images = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            masks = pb_utils.get_input_tensor_by_name(request, "mask").as_numpy()
            filled = [
                cv2.inpaint(image, mask, RADIUS, cv2.INPAINT_TELEA)
                for image, mask in zip(images, masks, strict=True)
            ]
        except (cv2.error, ValueError) as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"telea: {error}"))
        return pb_utils.InferenceResponse([pb_utils.Tensor("inpainted", np.stack(filled))])
