"""Files of tensors, as ergo-workload reads and writes them."""
import json
import struct

import torch

TYPES = {torch.float32: "F32", torch.int64: "I64"}


def write_safetensors(path, tensors):
    header, end = {}, 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.detach().contiguous().numpy().data)


def read_output(path):
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack("<Q", content[:8])[0]
    entry = json.loads(content[8:8 + length])["output"]
    begin, end = entry["data_offsets"]
    flat = torch.frombuffer(bytearray(content[8 + length + begin:8 + length + end]), dtype=torch.float32)
    return flat.reshape(entry["shape"])
