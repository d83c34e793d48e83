# The front door. Needs Rust, Python 3 with pip and venv, make and a C compiler; fetches everything else into .cache/.

# Official builds of ONNX Runtime report to their makers unless this is set; the server sets it for itself.
export ORT_DISABLE_TELEMETRY := 1

PYTHON ?= python3
CACHE := $(CURDIR)/.cache
VENV := $(CACHE)/venv
RUNTIME := $(CACHE)/onnxruntime/.complete
POSTGRES := $(CACHE)/postgres/.complete
CLIENTS := $(VENV)/.complete
PEERS := $(CACHE)/peers/.complete
RIVALS := $(CACHE)/rivals/.complete
ENGINE := "$$(ls -t target/release/deps/side_by_side-* | grep -v '\.d$$' | head -1)"
RECIPE := $(CACHE)/recipe/.complete
TRAINER := $(CACHE)/trainer/.complete
NODE_CLIENT := tests/clients/javascript/node_modules/.complete
NODE_CONSOLE := tests/console/node_modules/.complete
PACKAGER := $(CACHE)/packaging/.complete

.DEFAULT_GOAL := help
.PHONY: help run build dist release-check book test test-rust test-clients test-console \
    test-recipe test-models screenshots lint lint-console doc check licenses models clean \
    bench bench-parts bench-index-faces bench-recognition bench-engine bench-scale bench-side-by-side \
    bench-connections bench-overload bench-transfer bench-cluster bench-rivals bench-hostile \
    bench-memory instructions soak fuzz

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## Build and serve on 127.0.0.1:9340; ARGS="..." goes to the server
	@target/release/lookalike $(ARGS)

build: $(RUNTIME) ## Build the server
	cargo build --release --locked --bin lookalike

dist: build $(PACKAGER) ## Make the archive, the wheels and the npm package in dist/
	rm -rf dist
	$(CACHE)/packaging/bin/python packaging/archive.py dist
	$(CACHE)/packaging/bin/python packaging/wheels.py dist
	$(CACHE)/packaging/bin/python packaging/npm.py dist
	cd dist && sha256sum -- * > ../SHA256SUMS && mv ../SHA256SUMS .

release-check: dist ## Test what a release would publish, each artifact in an empty place
	$(CACHE)/packaging/bin/python packaging/release_check.py dist

book: ## Build the documents as a site in dist/book; needs mdBook: `cargo install mdbook`
	$(PYTHON) tools/book.py dist/book

test: test-rust test-clients test-console ## Run every test

test-rust: $(RUNTIME) $(POSTGRES)
	cargo test --locked --workspace

test-clients: $(RUNTIME) $(CLIENTS) $(NODE_CLIENT)
	cargo build --locked --bin lookalike
	cargo build --locked --manifest-path tests/clients/rust/Cargo.toml --target-dir $(CACHE)/rust-client
	$(VENV)/bin/python -m pytest -q tests/clients

test-console: $(RUNTIME) $(NODE_CONSOLE) ## Drive the web console in Chromium
	cargo build --locked --bin lookalike
	$(VENV)/bin/node --test --test-concurrency=2 tests/console/*.test.mjs

screenshots: $(RUNTIME) $(NODE_CONSOLE) ## Renew the pictures of the console in docs/images
	cargo build --locked --bin lookalike
	$(VENV)/bin/node tests/console/screenshots.mjs $(CACHE)/screenshots
	$(VENV)/bin/python tests/console/shrink.py $(CACHE)/screenshots docs/images

lint: ## Formatting and lints, warnings denied
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-console: $(NODE_CONSOLE) ## Types of the web console's modules
	$(VENV)/bin/node tests/console/node_modules/typescript/bin/tsc -p tests/console

doc: ## Build the documentation, warnings denied
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

bench: ## Run the benchmarks and print their figures; fails where one misses its target; takes an hour
	@$(MAKE) --jobs=1 --keep-going --no-print-directory bench-parts bench-index-faces bench-recognition \
	    bench-scale bench-side-by-side bench-connections bench-overload bench-hostile bench-transfer

bench-parts: $(RUNTIME)
	cargo bench --locked --bench decode --bench detect --bench index --bench scan --bench telemetry

instructions: ## Count the instructions of hot paths with valgrind; ARGS=--write renews the table
	$(PYTHON) tools/instructions.py $(ARGS)

bench-index-faces: build $(CLIENTS)
	$(VENV)/bin/python benches/index_faces.py

bench-recognition: build $(CLIENTS)
	$(VENV)/bin/python benches/recognition.py

bench-cluster: $(POSTGRES) ## Two nodes over one PostgreSQL server beside SQLite: ARGS="1000000" searches so many faces only
	cargo bench --locked --bench cluster -- $(ARGS)

bench-rivals: build $(RIVALS) ## Beside a script of an afternoon: MODELS=folder of its networks, ARGS="--other NAME=URL"
	$(CACHE)/rivals/bin/python benches/rivals/compare.py $(if $(MODELS),--models $(MODELS)) $(ARGS)

bench-engine: $(PEERS)
	cargo build --release --locked --bench side_by_side

bench-scale: bench-engine
	$(CACHE)/peers/bin/python benches/side_by_side/scale.py $(ENGINE)

bench-side-by-side: bench-engine
	$(CACHE)/peers/bin/python benches/side_by_side/compare.py $(ENGINE)

bench-overload: build $(CLIENTS)
	$(VENV)/bin/python benches/overload.py

bench-connections: build
	$(PYTHON) benches/hostile_connections.py

bench-hostile: build $(CLIENTS)
	$(VENV)/bin/python benches/hostile_images.py

bench-memory: build $(CLIENTS) ## The worst images within control groups of 256, 512 and 1024 MB; takes root
	$(VENV)/bin/python benches/memory_limits.py

bench-transfer: build
	$(PYTHON) benches/transfer.py

soak: build $(RUNTIME) $(CLIENTS) $(POSTGRES) ## 200 rounds of kill -9, a hunt for deadlocks, 50,000 mutated images; takes an hour
	CRASH_ROUNDS=200 cargo test --locked -p lookalike-store --test it crash::
	CRASH_ROUNDS=200 cargo test --locked --test it crash::
	HUNT_TURNS=500 cargo test --locked -p lookalike-store --test it unreliable::clients
	$(VENV)/bin/python tests/soak/mutated_images.py

fuzz: ## Five minutes of each fuzz target; needs `cargo install cargo-fuzz` and a C++ compiler
	fuzz/run.sh

check: lint doc licenses ## Lints, documentation, licenses

licenses: ## Licenses, banned and unused dependencies
	# They run once, so they are built without optimization.
	cargo install --locked --quiet --debug --root $(CACHE)/tools cargo-deny@0.20.2 cargo-machete@0.9.2
	$(CACHE)/tools/bin/cargo-deny check licenses bans sources
	$(CACHE)/tools/bin/cargo-machete

models: $(TRAINER) ## Train the networks of models/default from the images and teachers in ../shared; takes hours
	$(CACHE)/trainer/bin/recipe all

test-recipe: $(RECIPE) ## Lint the training recipe and run those of its tests that need no PyTorch
	cd training && $(CACHE)/recipe/bin/ruff check && $(CACHE)/recipe/bin/ruff format --check
	cd training && $(CACHE)/recipe/bin/python -m pytest -q tests/quick

test-models: $(TRAINER) ## Run all tests of the training recipe; installs PyTorch
	cd training && $(CACHE)/trainer/bin/python -m pytest -q

clean: ## Delete everything that was built or fetched
	cargo clean
	rm -rf $(CACHE) $(dir $(NODE_CLIENT) $(NODE_CONSOLE))

$(RUNTIME): tools/onnxruntime.txt tools/fetch_onnxruntime.py
	$(PYTHON) tools/fetch_onnxruntime.py $(dir $@)
	@touch $@

$(POSTGRES): tools/postgres.txt tools/fetch_postgres.py
	$(PYTHON) tools/fetch_postgres.py $(dir $@)
	@touch $@

$(CLIENTS): tests/clients/requirements.txt
$(PEERS): benches/side_by_side/requirements.txt
$(RIVALS): benches/rivals/requirements.txt
$(PACKAGER): packaging/requirements.txt
$(CLIENTS) $(PEERS) $(RIVALS) $(PACKAGER):
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(RECIPE): EXTRAS := dev
$(TRAINER): EXTRAS := dev,train
$(RECIPE) $(TRAINER): training/pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --editable 'training[$(EXTRAS)]'
	@touch $@

# Node.js itself comes out of a Python wheel, so that no Node.js has to be installed.
$(NODE_CLIENT) $(NODE_CONSOLE): %/node_modules/.complete: %/package-lock.json $(CLIENTS)
	cd $* && PATH="$(VENV)/bin:$$PATH" npm ci --silent --no-audit --no-fund
	@touch $@
