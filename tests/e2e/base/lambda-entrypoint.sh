#!/bin/sh
# Starts the runtime client with the handler that CMD names: against Lambda's Runtime API, or under the emulator where there is none.
if [ $# -ne 1 ]; then
  echo "the image needs one argument: its handler" >&2
  exit 142
fi
export _HANDLER="$1"
if [ -z "${AWS_LAMBDA_RUNTIME_API:-}" ]; then
  exec aws-lambda-rie /usr/bin/python3 -m awslambdaric "$1"
fi
exec /usr/bin/python3 -m awslambdaric "$1"
