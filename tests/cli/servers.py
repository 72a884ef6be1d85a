"""Real model servers on the loopback, each in a process of its own that ends with the tests, and a counting proxy."""

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PATIENCE = 240  # seconds until a server has started, also on a busy machine
# The process ends when its parent does, even if that is killed.
WATCHED = """
import os, sys, threading, time
def watch(parent=os.getppid()):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
"""
TRANSFORMERS = (
    WATCHED
    + """
import runpy
runpy.run_module("transformers.cli.transformers", run_name="__main__", alter_sys=True)
"""
)
LLAMA_CPP = (
    WATCHED
    + """
import xllamacpp
model, port, alias, context = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx = model, int(port), int(context)
# Both are scalars in some versions.
params.hostnames = ["127.0.0.1"] if isinstance(params.hostnames, list) else "127.0.0.1"
params.model_alias = {alias} if isinstance(params.model_alias, set) else alias
params.n_parallel, params.n_gpu_layers = 2, 0
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup, params.use_jinja, params.kv_unified = False, True, True
server = xllamacpp.Server(params)
while True:
    time.sleep(60)
"""
)


def needs(*packages):
    """Skip a fixture's tests where a package is missing."""
    for name in packages:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs the package {name}: pip install {name}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def running(code, arguments, port, log):
    """Run Python code that starts a server, wait for GET /health, yield its base URL, and stop it in the end."""
    quiet = {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | quiet,
        )
    try:
        wait_until_healthy(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(process, port, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            status = connection.getresponse().status
            connection.close()
            if status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


@contextmanager
def transformers_serve(folder: Path):
    """Run `transformers serve`, which loads each model directory that a request names."""
    needs("fastapi", "uvicorn")
    port = free_port()
    options = ("--host", "127.0.0.1", "--port", port, "--device", "cpu", "--dtype", "float32")
    with running(TRANSFORMERS, ("serve", *options), port, folder / "transformers.log") as url:
        yield url


@contextmanager
def llama_cpp(folder: Path, model: Path, alias: str, context: int):
    """Run the server of llama.cpp with a GGUF."""
    needs("xllamacpp")
    port = free_port()
    with running(LLAMA_CPP, (model, port, alias, context), port, folder / "llama.log") as url:
        yield url


class Proxy:
    """Passes requests on to a server, and keeps their bodies."""

    def __init__(self, url):
        target = urlsplit(url)
        self.bodies = []
        self.busy = self.busiest = 0
        lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    proxy.bodies.append(json.loads(body))
                    proxy.busy += 1
                    proxy.busiest = max(proxy.busiest, proxy.busy)
                connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
                connection.request("POST", self.path, body, {"content-type": "application/json"})
                answer = connection.getresponse()
                found = answer.read()
                connection.close()
                with lock:
                    proxy.busy -= 1
                kind = answer.headers.get("content-type", "application/json")
                head = f"HTTP/1.1 {answer.status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(found)}\r\n\r\n"
                with suppress(OSError):  # the client was killed
                    self.connection.sendall(head.encode() + found, socket.MSG_NOSIGNAL)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def texts(self):
        """Return what each request asks, with its picture."""
        return [json.dumps(body["messages"]) for body in self.bodies]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
