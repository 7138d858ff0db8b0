#!/usr/bin/env bash
# The work of action.yml: which models to check, and with what. Takes everything from the
# environment and leaves the exit code in GITHUB_OUTPUT.
set -euo pipefail

# Bash 3.2, which macOS has, knows no mapfile.
lines() { while IFS= read -r line; do [[ -n "$line" ]] && printf '%s\0' "$line"; done <<<"$1"; true; }

paths=()
while IFS= read -r -d '' path; do paths+=("$path"); done < <(lines "${PATHS:-}")
arguments=()
while IFS= read -r -d '' argument; do arguments+=("$argument"); done < <(lines "${ARGUMENTS:-}")

finish() { echo "exit-code=$1" >>"$GITHUB_OUTPUT"; exit "$1"; }

if [[ "$CHANGED_ONLY" == true ]]; then
  git cat-file -e "$BASE^{commit}" 2>/dev/null || {
    echo "::error title=graphlint::the commit before is not there: check out with fetch-depth 0"
    finish 2
  }
  changed=()
  while IFS= read -r -d '' path; do
    [[ "$path" == *.onnx ]] && changed+=("./$path")
  done < <(git diff --name-only --diff-filter=d -z "$BASE...HEAD" -- ${paths[@]+"${paths[@]}"})
  if ((${#changed[@]} == 0)); then
    echo "no model has changed"
    finish 0
  fi
  paths=("${changed[@]}")
fi

summary=$(mktemp)
files=(--output-file "markdown:$summary")
[[ -n "$SARIF" ]] && files+=(--output-file "sarif:$SARIF")
[[ -n "$MARKDOWN" ]] && files+=(--output-file "markdown:$MARKDOWN")

code=0
"$GRAPHLINT" check --no-latency --output-format github "${files[@]}" \
  ${arguments[@]+"${arguments[@]}"} -- ${paths[@]+"${paths[@]}"} || code=$?
[[ "$JOB_SUMMARY" == true ]] && cat "$summary" >>"$GITHUB_STEP_SUMMARY"
finish "$code"
