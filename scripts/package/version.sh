#!/usr/bin/env bash
# Prints the release that the sources are: 1.0.0
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
sed -n 's/.*release = "lyco \(.*\)"/\1/p' Sources/CommandSupport/Suite.swift
