# What there is to do here; `make` alone lists it. Needs GNU make and Rust.
#
# Variables: ADAPTER=NAME picks the adapter by a part of its name (`accrue devices` lists them), PYTHON is one that has
# PyTorch, CARGO_FLAGS goes to every cargo command (CI gives --locked).

CARGO ?= cargo
CARGO_FLAGS ?=
PYTHON ?= python3
ADAPTER ?=

TARGET_DIR := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
ACCRUE := $(TARGET_DIR)/release/accrue

# A layer of Mesa complains about a missing desktop in every process; we choose the adapter by ourselves.
export NODEVICE_SELECT ?= 1

ifneq ($(strip $(ADAPTER)),)
export WGPU_ADAPTER_NAME := $(ADAPTER)
endif

.DEFAULT_GOAL := help
.PHONY: help build driver drivers demo demo-images demo-text bench test soak fuzz variants cross lint pytorch goldens check-pytorch check-export clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build the command, optimised
	$(CARGO) build --release $(CARGO_FLAGS)

driver: build ## make sure that there is an adapter; installs Mesa's software driver when there is none and you may
	@scripts/ensure-vulkan.sh "$(ACCRUE)"

# The folder is the demo's own, so that it can be run again after examples/digits.toml or the version has changed.
demo: driver ## train on the digits data and write a report
	"$(ACCRUE)" train examples/digits.toml --out runs/digits --fresh
	@echo "report: $(CURDIR)/runs/digits/report.html"

demo-images: driver ## train a small convolutional network on MNIST's digits and write a report
	"$(ACCRUE)" train examples/mnist.toml --out runs/mnist --fresh
	@echo "report: $(CURDIR)/runs/mnist/report.html"

demo-text: driver ## train a small language model of characters on Moby-Dick, let it write, and write a report
	"$(ACCRUE)" train examples/text.toml --out runs/text --fresh
	"$(ACCRUE)" generate runs/text --prompt "Call me" --tokens 300 --temperature 0.8 --top-k 40
	@echo "report: $(CURDIR)/runs/text/report.html"

bench: driver ## measure how fast this machine trains, and the parts of it; leave it alone meanwhile
	"$(ACCRUE)" bench
	$(CARGO) bench --bench parts $(CARGO_FLAGS)

# The same as a plain `cargo test`, whose profile is optimised and keeps the debug assertions; here with a driver.
test: ## run every test
	$(CARGO) test $(CARGO_FLAGS) --no-run
	@scripts/ensure-vulkan.sh "$(TARGET_DIR)/debug/accrue"
	$(CARGO) test $(CARGO_FLAGS)

soak: ## run the tests that take minutes or gigabytes, thousands of random cases, 100 kills, all faults of a disk
	ACCRUE_CASES=$${ACCRUE_CASES:-5000} $(CARGO) test $(CARGO_FLAGS) --test partitions
	ACCRUE_CASES=$${ACCRUE_CASES:-100000} $(CARGO) test $(CARGO_FLAGS) --test hostile
	$(CARGO) test $(CARGO_FLAGS) --test planner -- --ignored --nocapture
	$(CARGO) test $(CARGO_FLAGS) --test soak -- --ignored --nocapture
	ACCRUE_KILLS=$${ACCRUE_KILLS:-100} ACCRUE_FAULTS=all $(CARGO) test $(CARGO_FLAGS) --test cli -- --nocapture killed faults
	ACCRUE_LEAKS=$${ACCRUE_LEAKS:-20000} $(CARGO) test $(CARGO_FLAGS) --test leaks -- --nocapture

# The targets are those of tests/hostile/targets.rs. What libFuzzer finds goes to fuzz/artifacts; once it is mended, move it to
# fuzz/corpus/TARGET under a name that says what it is, so that every `cargo test` tries it again.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= checkpoint config csv idx json_lines model npz parquet table weights
# Nothing may take more than this, whatever a file claims; an input of 64 KiB is enough to claim anything.
FUZZ_LIMITS := -rss_limit_mb=512 -malloc_limit_mb=256 -timeout=5 -max_len=65536

fuzz: ## feed files of strangers to all that reads files, FUZZ_SECONDS=60 for each kind; needs nightly Rust and cargo-fuzz
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { echo "fuzz: nightly Rust is missing: rustup toolchain install nightly" >&2; exit 1; }
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo "fuzz: cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
	@mkdir -p fuzz/found
	for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/found/$$target; \
		$(CARGO) +nightly fuzz run $$target fuzz/found/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) $(FUZZ_LIMITS) -print_final_stats=1 || exit 1; \
	done

# Tests in which the kernels are chosen by shape and adapter; the property test draws its own.
BITS := --test laws --test golden --test clocks --test sequence --test verify --test units --test host

variants: ## run the tests of bits and laws with every kind of kernel in turn
	for kernels in ops fused windows; do \
		ACCRUE_KERNELS=$$kernels $(CARGO) test $(CARGO_FLAGS) $(BITS) || exit 1; \
	done
	for kernels in fused windows; do \
		ACCRUE_LANES=32 ACCRUE_KERNELS=$$kernels $(CARGO) test $(CARGO_FLAGS) $(BITS) || exit 1; \
	done
	ACCRUE_READS=buffers $(CARGO) test $(CARGO_FLAGS) $(BITS)
	for tiles in small tall flat plain shared shared_narrow shared_flat wg32 wg64 wg128; do \
		ACCRUE_KERNELS=ops ACCRUE_TILES=$$tiles $(CARGO) test $(CARGO_FLAGS) --test laws --test golden --test watchdog || exit 1; \
	done

drivers: ## run on every driver that can be had here: Mesa, a newer one, SwiftShader, Windows' DX12 under Wine; 20 minutes
	@scripts/drivers.sh

# Nothing is linked or run, so no SDK is needed.
CROSS_TARGETS ?= x86_64-pc-windows-msvc aarch64-apple-darwin x86_64-unknown-linux-musl

cross: ## compile for Windows, macOS and another Linux, warnings as errors; rustup fetches what it needs
	rustup target add $(CROSS_TARGETS)
	for target in $(CROSS_TARGETS); do \
		$(CARGO) clippy --all-targets --all-features --target $$target $(CARGO_FLAGS) -- -D warnings || exit 1; \
	done

lint: ## format, clippy and docs, warnings as errors
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --all-targets --all-features $(CARGO_FLAGS) -- -D warnings
	$(CARGO) clippy --no-default-features --lib $(CARGO_FLAGS) -- -D warnings
	for features in csv recipe; do \
		$(CARGO) clippy --no-default-features --features $$features --lib $(CARGO_FLAGS) -- -D warnings || exit 1; \
	done
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps $(CARGO_FLAGS)
	@if command -v shellcheck >/dev/null 2>&1; then shellcheck scripts/*.sh scripts/drivers/*.sh scripts/peers/*.sh .ci/run; fi

pytorch:
	@$(PYTHON) -c 'import numpy, safetensors, torch' 2>/dev/null || { \
		echo "$(PYTHON) has not all of numpy, safetensors and torch: install them, or say PYTHON=…" >&2; exit 1; }

goldens: pytorch ## write tests/golden again (PYTHON with PyTorch)
	$(PYTHON) tests/golden/make_goldens.py
	$(PYTHON) tests/golden/make_image_goldens.py
	$(PYTHON) tests/golden/make_sequence_goldens.py

check-pytorch: pytorch demo ## load the digits model into PyTorch, strictly, and compare the outputs (PYTHON with PyTorch)
	"$(ACCRUE)" predict runs/digits --data examples/data/digits.csv --out runs/digits/predictions.csv
	$(PYTHON) tests/golden/check_model.py runs/digits examples/data/digits.csv runs/digits/predictions.csv

check-export: driver ## compare exported models with accrue predict (PYTHON with onnxruntime, PyTorch)
	$(PYTHON) scripts/check_export.py "$(ACCRUE)"

clean: ## remove what was built and the runs
	$(CARGO) clean
	rm -rf runs
