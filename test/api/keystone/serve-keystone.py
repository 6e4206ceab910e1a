"""A real Keystone over a threaded WSGI server on a free port, which it prints. Its configuration: OS_KEYSTONE_CONFIG_DIR."""

import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from keystone.server.wsgi import initialize_public_application


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


sys.argv = ["keystone"]
server = make_server("127.0.0.1", 0, initialize_public_application(), Server, Quiet)
print(server.server_port, flush=True)
server.serve_forever()
