"""An S3 server for tests: moto behind a door that checks every signature, and fails in whatever way it is told to.

It prints its port, and ends with its standard input. `PUT /-/rules` sets what fails: a JSON list of
{"under", "method", "path", "skip", "times", "kind"}; `under` is the prefix of a test's own objects, and a rule of one test
is never another's. `GET /-/seen?under=…` tells how often a rule was applied.
"""

import datetime
import hashlib
import hmac
import http.client
import http.server
import json
import logging
import os
import re
import socketserver
import sys
import threading
import time
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

REGION, BUCKET = "eu-test-1", "backups"
# The second may remove nothing.
KEYS = {"TESTKEY": "the-secret-of-the-test-key", "WRITER": "the-secret-of-the-writer"}
NAMES = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)")

lock, rules, seen = threading.Lock(), [], {}


class Refused(Exception):
    def __init__(self, status, code, message):
        self.status, self.code, self.message = status, code, message


def check(method, path, headers, body):
    """Computes the signature again, as botocore would sign the request."""
    found = NAMES.fullmatch(headers.get("authorization", ""))
    if not found:
        raise Refused(403, "AccessDenied", "the request is not signed")
    access, day, region, names, signature = found.groups()
    if access not in KEYS:
        raise Refused(403, "InvalidAccessKeyId", "no such key")
    if region != REGION:
        raise Refused(400, "AuthorizationHeaderMalformed", f"the region is {REGION}")
    names, moment = names.split(";"), headers["x-amz-date"]
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names) or not moment.startswith(day):
        raise Refused(403, "AccessDenied", "a header that matters is not signed")
    made = datetime.datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs((datetime.datetime.now(datetime.timezone.utc) - made).total_seconds()) > 900:
        raise Refused(403, "RequestTimeTooSkewed", "the clocks differ")
    payload = headers["x-amz-content-sha256"]
    if re.fullmatch("[0-9a-f]{64}", payload) and hashlib.sha256(body).hexdigest() != payload:
        raise Refused(400, "XAmzContentSHA256Mismatch", "the body is another")
    request = AWSRequest(method, f"http://{headers['host']}{path}", headers={name: headers[name] for name in names})
    request.context["timestamp"] = moment
    signer = S3SigV4Auth(Credentials(access, KEYS[access]), "s3", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    if signer.signature(text, request) != signature:
        raise Refused(403, "SignatureDoesNotMatch", "the signature is another")
    return access


def check_link(method, path, headers):
    """Computes the signature of a presigned link again, from what is written of it."""
    name, _, query = path.partition("?")
    found = {key: urllib.parse.unquote(value) for key, _, value in (pair.partition("=") for pair in query.split("&"))}
    access, day, region, *_ = found["X-Amz-Credential"].split("/")
    if access not in KEYS or region != REGION or found["X-Amz-SignedHeaders"] != "host":
        raise Refused(403, "AccessDenied", "the link is none")
    moment, valid = found["X-Amz-Date"], int(found["X-Amz-Expires"])
    made = datetime.datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if not 1 <= valid <= 604800 or (datetime.datetime.now(datetime.timezone.utc) - made).total_seconds() > valid:
        raise Refused(403, "AccessDenied", "the link is not valid any more")
    rest = "&".join(sorted(pair for pair in query.split("&") if not pair.startswith("X-Amz-Signature=")))
    canonical = "\n".join([method, name, rest, f"host:{headers['host']}", "", "host", "UNSIGNED-PAYLOAD"])
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + KEYS[access]).encode()
    for step in (day, region, "s3", "aws4_request", text):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    if key.hex() != found["X-Amz-Signature"]:
        raise Refused(403, "SignatureDoesNotMatch", "the signature is another")
    return access


def rule_for(method, path):
    path = urllib.parse.unquote(path)
    with lock:
        for rule in rules:
            wanted = rule.get("path", "")
            # Of a listing the query is meant, of an object its name.
            name = path if "=" in wanted or "-token" in wanted else path.split("?")[0]
            # `faults/` is not `target-faults/`.
            is_own = re.search(r"(?<![\w-])" + re.escape(rule["under"]), path)
            fits = rule["method"] in ("*", method) and is_own and wanted in name
            if fits and rule.get("skip", 0) > 0:
                rule["skip"] -= 1
                continue
            if fits and rule.get("times", 1 << 30) > 0:
                rule["times"] = rule.get("times", 1 << 30) - 1
                seen[rule["under"]] = seen.get(rule["under"], 0) + 1
                return rule["kind"]
    return None


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message):
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
        self.answer(status, body.encode(), [("Content-Type", "application/xml")])

    def hang_up(self):
        self.close_connection = True

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        if self.path == "/-/rules":
            added = json.loads(self.rfile.read(length))
            with lock:
                under = {rule["under"] for rule in added}
                rules[:] = [rule for rule in rules if rule["under"] not in under] + [r for r in added if "kind" in r]
            return self.answer(200, b"")
        if self.path.startswith("/-/seen"):
            under = urllib.parse.parse_qs(self.path.split("?")[1])["under"][0]
            return self.answer(200, str(seen.get(under, 0)).encode())
        kind = rule_for(self.command, self.path)
        if kind == "closed":
            return self.hang_up()
        if kind == "dead":
            time.sleep(60)
            return self.hang_up()
        if kind == "cut" and self.command == "PUT":
            self.rfile.read(length // 2)
            return self.hang_up()
        body = self.rfile.read(length) if length else b""
        if kind == "skewed":
            return self.refuse(403, "RequestTimeTooSkewed", "the clocks differ")
        if kind in ("403", "500", "503"):
            codes = {"403": "AccessDenied", "500": "InternalError", "503": "SlowDown"}
            return self.refuse(int(kind), codes[kind], "as the test wants it")
        if kind == "slow":
            time.sleep(3)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            is_link = "X-Amz-Signature=" in self.path
            access = (check_link(self.command, self.path, headers) if is_link else check(self.command, self.path, headers, body))
            if access == "WRITER" and self.command == "DELETE":
                raise Refused(403, "AccessDenied", "this key may not remove anything")
        except Refused as refused:
            return self.refuse(refused.status, refused.code, refused.message)
        path = self.path.partition("?")[0] if is_link else self.path
        if "list-type=2" in path:
            # Small pages, so that every listing of a test has later ones.
            path += "&max-keys=" + os.environ.get("PAGE", "5")
        upstream = http.client.HTTPConnection(*UPSTREAM, timeout=30)
        passed = dict(self.headers)
        if is_link:
            # What is behind the door knows who asks by this alone.
            passed["Authorization"] = f"AWS4-HMAC-SHA256 Credential={access}/20000101/{REGION}/s3/aws4_request"
        upstream.request(self.command, path, body, passed)
        reply = upstream.getresponse()
        content = reply.read()
        upstream.close()
        dropped = ("transfer-encoding", "connection", "content-length")
        headers = [(name, value) for name, value in reply.getheaders() if name.lower() not in dropped]
        size = reply.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        if kind == "lost":
            # It was done, and nobody hears of it.
            return self.hang_up()
        if kind == "short":
            content = content[: len(content) // 2]
            size = str(len(content))
        if kind == "flip" and content:
            place = len(content) // 2
            content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        if kind == "cut":
            self.hang_up()
            content = content[: len(content) // 2]
        self.answer(reply.status, content, headers + [("Content-Length", size)])

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64


logging.getLogger("werkzeug").setLevel(logging.ERROR)
upstream = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
upstream.start()
UPSTREAM = upstream.get_host_and_port()
connection = http.client.HTTPConnection(*UPSTREAM)
connection.request("PUT", f"/{BUCKET}", headers={"Host": "localhost"})
made = connection.getresponse().status
assert made == 200, made
server = Server(("127.0.0.1", 0), Door)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
