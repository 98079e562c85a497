"""Touches up generated requests: what a schema cannot say is put right in those that are to be accepted, so that the check on
their acceptance can stay on everywhere; and none may end the session or disable the device that the run itself uses."""

import base64
import hashlib
import itertools
import json
import os
import pathlib
import re
import urllib.parse
import urllib.request
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation as At
from schemathesis.transport.serialization import Binary

API = os.environ["CONTRACT_URL"] + "/api/v1"
ADMIN = {"username": "admin", "password": "a password for tests"}
DEVICE = "490154203237518"
# Those that are there, since nobody can guess an id: of the device that no request removes.
ALARM = os.environ["CONTRACT_ALARM"]
VIDEO = os.environ["CONTRACT_VIDEO"]
# What is a video, and what is a picture: the document cannot say which bytes are either.
CLIP = pathlib.Path("clip.mp4").read_bytes()
STILL = pathlib.Path("still.jpg").read_bytes()
# What may be changed and removed in place of the run's own.
SPARE = {"username": "anna", "deviceId": "356307042441013"}
ACCEPTED = {
    "getTrack": itertools.cycle(["application/json", "application/geo+json", "application/gpx+xml", "text/csv", "*/*"]),
    "listAlarms": itertools.cycle(["application/json", "text/csv", "*/*"]),
    "listFrames": itertools.cycle(["application/json", "text/plain", "*/*"]),
}
# Those of one alarm, video or upload, and how one is had that is there.
THERE = {
    "getAlarm": lambda: ALARM,
    "changeAlarm": lambda: ALARM,
    "getVideo": lambda: VIDEO,
    "getVideoContent": lambda: VIDEO,
    "getVideoThumbnail": lambda: VIDEO,
    "getVideoScreenshot": lambda: VIDEO,
    "changeVideo": lambda: VIDEO,
    "signVideoLinks": lambda: VIDEO,
    "deleteVideo": lambda: new_video(),
    "getUpload": lambda: new_upload({"Upload-Length": str(len(STILL))}),
    "endUpload": lambda: new_upload({"Upload-Length": str(len(STILL))}),
    "overrideUploadMethod": lambda: new_upload({"Upload-Length": str(len(STILL))}),
}
UNKNOWN_HEADER = "x-schemathesis-unknown-property"
TUS_MAX_BYTES = 4 * 1024**3
BYTES_OF_TUS = "application/offset+octet-stream"
turn = itertools.count()
cursors = {}
device_tokens = []


class InPlaceOf(bytes):
    """The picture with the hash of the bytes that it replaces: by that the run would know a body that changed, and take it for wrong."""

    def __new__(cls, replaced):
        self = super().__new__(cls, STILL)
        self.hash_of_replaced = hash(replaced)
        return self

    def __hash__(self):
        return self.hash_of_replaced


@schemathesis.serializer(BYTES_OF_TUS)
def as_it_is(context, value):
    return value.data if isinstance(value, Binary) else str(value).encode()


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    if case.path_parameters and case.method != "GET":
        put(case, "path_parameters", spared(case.path_parameters))
    if not is_wrong(case, At.PATH):
        put(case, "path_parameters", mended_path(case.path_parameters, operation))
    if case.query and not is_wrong(case, At.QUERY):
        put(case, "query", mended_query(case.query, operation))
    if case.headers and UNKNOWN_HEADER in case.headers:
        # HTTP has no wrong ones; next to a number, the run would take it for another fault.
        put(case, "headers", {name: value for name, value in case.headers.items() if name != UNKNOWN_HEADER})
    if case.headers and not is_wrong(case, At.HEADER):
        put(case, "headers", mended_headers(case.headers, operation))
    if not is_wrong(case, At.BODY):
        put(case, "body", mended_body(case.body, operation))
    if operation == "continueUpload" and case.method == "PATCH" and next(turn) % 2 == 0 and not is_wrong_anywhere(case):
        continue_one(case)
    types = ACCEPTED.get(operation)
    if types is not None and case.method == "GET":
        # The document cannot say that Accept chooses among the representations.
        put(case, "headers", {**(case.headers or {}), "Accept": next(types)})


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 200 and "json" in response.headers.get("content-type", [""])[0]:
        cursor = isinstance(page := json.loads(response.content), dict) and page.get("nextCursor")
        if cursor:
            cursors[case.operation.definition.raw.get("operationId")] = (cursor, (case.query or {}).get("sort"))


def put(case, part, value):
    # In place of the old one, which other cases share; and only if it differs, since what was put is judged anew: a path's
    # parameter is encoded by then, and would be taken for one that is wrong on purpose.
    if value != getattr(case, part):
        setattr(case, part, value)


def is_wrong(case, location):
    """Whether the request is wrong there on purpose."""
    return case.meta is not None and case.meta.is_negative_at(location)


def is_wrong_anywhere(case):
    return any(is_wrong(case, location) for location in (At.PATH, At.QUERY, At.HEADER, At.BODY))


def spared(path_parameters):
    own = {"username": ADMIN["username"], "deviceId": DEVICE}
    return {name: SPARE[name] if value == own.get(name) else value for name, value in path_parameters.items()}


def mended_path(path_parameters, operation):
    if not path_parameters:
        return path_parameters
    if operation == "putVideo":
        return {"id": urllib.parse.quote(mended_name(urllib.parse.unquote(str(path_parameters["id"]))))}
    there = THERE.get(operation)
    # The run's own video is there for the whole of it.
    if there is not None and (next(turn) % 2 == 0 or (operation == "deleteVideo" and path_parameters["id"] == VIDEO)):
        name = "uploadId" if "uploadId" in path_parameters else "id"
        return {**path_parameters, name: there()}
    return path_parameters


def mended_name(name):
    """The document cannot say all of what makes a name of a file."""
    is_name = re.fullmatch(r"[\w .()-]{1,60}", name, re.ASCII) and name.strip(". ") != ""
    return name if is_name else f"still-{next(turn) % 9}.jpg"


def mended_query(query, operation):
    query = dict(query)
    # Only the list itself can make a cursor.
    if "cursor" in query and query.pop("cursor") and operation in cursors:
        # It goes on in the order that it was given out in, and in no other.
        query["cursor"], sort = cursors[operation]
        query.pop("sort", None)
        if sort is not None:
            query["sort"] = sort
    if "from" in query and "to" in query:
        query["to"] = query["from"]
    if "bbox" in query:
        west, south, east, north = query["bbox"].split(",")
        if float(south) > float(north):
            query["bbox"] = ",".join([west, north, east, south])
    return query


def mended_headers(headers, operation):
    headers = dict(headers)
    # A key that came with another body before is refused.
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    # It is that of the body, and of no other.
    if "Content-Digest" in headers:
        headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(STILL).digest()).decode()}:"
    if operation == "postVideo":
        # Of the whole form, which is made later.
        headers.pop("Content-Digest", None)
    if operation == "overrideUploadMethod":
        # For a new upload, whose length is known.
        headers["Upload-Offset"] = "0"
        headers.pop("Upload-Length", None)
    if operation == "createUpload":
        # Either is there, and the metadata name the file.
        headers["Upload-Metadata"] = metadata("created.jpg")
        if "Upload-Defer-Length" in headers:
            headers.pop("Upload-Length", None)
        else:
            headers["Upload-Length"] = str(min(int(headers.get("Upload-Length", 1)), TUS_MAX_BYTES))
    return headers


def mended_body(body, operation):
    # Each text is a file, but only one that begins with a header row is taken.
    if operation == "importDevices" and isinstance(body, str):
        return "deviceId,name\r\n" + body
    for value in body.values() if isinstance(body, dict) else [body]:
        if isinstance(value, Binary) and not isinstance(value.data, InPlaceOf):
            value.data = InPlaceOf(value.data)
    if not isinstance(body, dict):
        return body
    if operation == "beginDirectUpload":
        # Over that there would be a digest for each part.
        return {**body, "fileName": mended_name(body["fileName"]), "bytes": min(body["bytes"], 64 * 1024**2)}
    if operation == "sendCommand" and body.get("type") == "REQUEST_VIDEO":
        # The one is before the other, by a day at most.
        span = {"from": "2026-11-22T07:29:50Z", "to": "2026-11-22T07:30:10+00:00"}
        return {**body, "params": {**body["params"], **span}}
    if operation == "loginDevice" and isinstance(body.get("imei"), str):
        return {**body, "imei": with_check_digit(body["imei"])}
    if operation == "raiseAlarm":
        return mended_alarm(body)
    if operation == "changeAlarm" and isinstance(body.get("assignee"), str):
        return {**body, "assignee": ADMIN["username"]}
    # What is guessed is right in form only; every second time it is right.
    is_right = next(turn) % 2 == 0
    if operation == "loginUser" and is_right:
        return {**body, **ADMIN}
    if operation == "refreshUser" and is_right:
        return {**body, "refreshToken": log_in()["refreshToken"]}
    if operation == "changePassword":
        current = ADMIN["password"] if is_right else body["current"]
        return {**body, "current": current, "new": ADMIN["password"]}
    return body


def mended_alarm(body):
    """The document cannot say that the place has two halves, nor all of what makes a name of a file."""
    body = dict(body)
    if (body.get("latitude") is None) != (body.get("longitude") is None):
        body["latitude"] = body["longitude"] = None
    if isinstance(body.get("files"), list):
        body["files"] = [f"clip-{n}.mp4" for n in range(min(len(body["files"]), 20))]
    return body


def continue_one(case):
    """All the bytes of an upload that is there. One whose length is known must not be told it again."""
    headers = dict(case.headers)
    length = {"Upload-Length": str(len(STILL))}
    if "Upload-Length" in headers:
        case.path_parameters = {"uploadId": new_upload({"Upload-Defer-Length": "1"})}
        headers |= length
    else:
        case.path_parameters = {"uploadId": new_upload(length)}
    case.headers = {**headers, "Upload-Offset": "0"}


def with_check_digit(imei):
    digits = [int(digit) for digit in imei[:14]]
    doubled = [sum(divmod(2 * digit, 10)) if at % 2 else digit for at, digit in enumerate(digits)]
    return imei[:14] + str(-sum(doubled) % 10)


def log_in():
    return json.load(call("POST", "/auth/login", {"content-type": "application/json"}, json.dumps(ADMIN).encode()))


def new_video():
    return json.load(call("PUT", f"/videos/spare-{next(turn)}.jpg", as_device(), STILL))["id"]


def new_upload(length):
    headers = {**as_device(), "Tus-Resumable": "1.0.0", "Upload-Metadata": metadata(f"resumed-{next(turn) % 9}.jpg"), **length}
    return call("POST", "/videos/uploads", headers).headers["Location"].split("/")[-1]


def metadata(name):
    return "filename " + base64.b64encode(name.encode()).decode()


def as_device():
    if not device_tokens:
        body = json.dumps({"imei": DEVICE}).encode()
        device_tokens.append(json.load(call("POST", "/auth/device", {"content-type": "application/json"}, body))["accessToken"])
    return {"Authorization": f"Bearer {device_tokens[0]}"}


def call(method, path, headers, body=None):
    return urllib.request.urlopen(urllib.request.Request(API + path, body, headers, method=method))
