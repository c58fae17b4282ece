# Gatehouse. `make demo` and `make test` install what they need; `make help` names the targets.
ifeq ($(origin CC),default)
CC = gcc
endif
SANITIZE ?=
ifeq ($(SANITIZE),)
BUILD ?= build
else
BUILD ?= build/sanitized
endif
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 10
# A newcomer does not say -j; who does has a jobserver, which must not be reset.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
# V=1 shows the commands.
Q = $(if $(V),,@)

PACKAGES = openssl yaml-0.1 libcurl libcares libpcre2-8
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Werror
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fno-strict-aliasing
# -O3 spends a tenth fewer instructions on a request than -O2, and compiles as fast; nothing is bound
# lazily, so that what libraries have is called without a stub.
CFLAGS ?= -O3 -g -fno-plt
ifneq ($(SANITIZE),)
SANITIZERS = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDENING := $(filter-out -D_FORTIFY_SOURCE=2,$(HARDENING))
endif
PACKAGE_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
LANGUAGE = -std=c11 -D_GNU_SOURCE -I. $(WARNINGS)
ALL_CFLAGS = $(LANGUAGE) $(HARDENING) $(CFLAGS) $(SANITIZERS) -MMD -MP $(PACKAGE_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANITIZERS) $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PACKAGES)) -llmdb -lev

SOURCES = $(wildcard master/*.c worker/*.c shared/*.c conf/*.c)
HEADERS = $(wildcard master/*.h worker/*.h shared/*.h conf/*.h)
MAIN = master/main.c
LIBRARY_OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(SOURCES)))
LIBRARY = $(BUILD)/libgatehouse.a
UNIT_SOURCES = $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))
FUZZ_SOURCES = $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(FUZZ_SOURCES))
TIDY_STAMPS = $(patsubst %.c,$(BUILD)/tidy/%.stamp,$(SOURCES))

all: $(BUILD)/gatehouse

help:
	@echo 'make            the program, $(BUILD)/gatehouse'
	@echo 'make demo       a gateway with a demo server and a demo issuer, in the foreground'
	@echo 'make test       unit and integration tests; SANITIZE=address,undefined for a checked build'
	@echo 'make unit       unit tests alone'
	@echo 'make check      include rules, format, clang-tidy, headers that compile alone'
	@echo 'make clang      the program and its unit tests by clang'
	@echo 'make soak       all transports at once while everything fails, for SOAK_SECONDS=$(SOAK_SECONDS)'
	@echo 'make valgrind   unit tests, and a gateway that served and drained, without a leak'
	@echo 'make bench      a request beside nginx, HAProxy and the least a gateway can do: a table'
	@echo 'make bench-instructions  instructions a request, by callgrind; fails over the budget'
	@echo 'make bench-message  how fast MCP messages are read; fails when too slow'
	@echo 'make bench-filter  how fast MCP responses are read and filtered; fails when too slow'
	@echo 'make bench-flat instructions a request by the number of apps, configs and sessions; fails over 3 %'
	@echo 'make bench-memory  what idle streams take, and give back'
	@echo 'make profile    where a worker spends its time, and its system calls; PROFILE="--work fresh" and the like'
	@echo 'make fuzz       every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make install    under DESTDIR and PREFIX=$(PREFIX)'
	@echo 'make deps       the Debian packages that all of these need'

# The program.
$(BUILD)/gatehouse: $(BUILD)/master/main.o $(LIBRARY)
	@echo '  LD $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(LIBRARY_OBJECTS)
	@rm -f $@
	@echo '  AR $@'
	$(Q)$(AR) rcs $@ $^

# Flags that change are in force for all objects.
$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Tests.
$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo '  CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS) -lcmocka

unit-programs: $(UNIT_TESTS)

unit: $(UNIT_TESTS)
	tests/run.sh unit $(BUILD)

# The price of an authenticated request by the number of apps and configs; see flat_cost.sh.
bench-flat: deps-build+valgrind
	$(MAKE) BUILD=$(BUILD) $(BUILD)/bench/flat_cost
	tests/bench/flat_cost.sh $(BUILD)/bench/flat_cost

$(BUILD)/bench/flat_cost: tests/bench/flat_cost.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo '  CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=store_scan,--wrap=label_matches -o $@ $< $(LIBRARY) $(LIBS)

# Beside nginx, HAProxy and the least that a gateway can do; see bench.mjs. BENCH=... for its options.
bench: deps-build+bench+valgrind
	$(MAKE) $(JOBS) BUILD=$(BUILD) $(BUILD)/gatehouse $(BENCH_PROGRAMS) $(BUILD)/bench/flat_cost
	node tests/bench/bench.mjs $(BUILD)/bench $(BENCH)

bench-memory:
	$(MAKE) BENCH='--rows memory $(BENCH)' bench

# Functions by perf, system calls by strace; see profile.mjs. PROFILE=... for its options.
profile: deps-build+bench+profile
	$(MAKE) $(JOBS) BUILD=$(BUILD) $(BUILD)/gatehouse $(BENCH_PROGRAMS)
	node tests/bench/profile.mjs $(BUILD)/bench $(PROFILE)

BENCH_PROGRAMS = $(addprefix $(BUILD)/bench/,upstream floor pace events idle)

$(BENCH_PROGRAMS): $(BUILD)/bench/%: tests/bench/%.c tests/bench/peer.c tests/bench/peer.h
	@mkdir -p $(@D)
	@echo '  CC $@'
	$(Q)$(CC) $(LANGUAGE) -O2 -o $@ $< tests/bench/peer.c -lssl -lcrypto -lm

# What a worker spends on a request, counted; fails when over tests/bench/instructions.budget.
bench-instructions: deps-build+valgrind
	$(MAKE) $(JOBS) BUILD=$(BUILD) $(BUILD)/gatehouse $(BENCH_PROGRAMS)
	node tests/bench/instructions.mjs $(BUILD)/bench

bench-message: deps-build
	$(MAKE) BUILD=$(BUILD) $(BUILD)/bench/mcp_message
	$(BUILD)/bench/mcp_message

$(BUILD)/bench/mcp_message: tests/bench/mcp_message.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

bench-filter: deps-build
	$(MAKE) BUILD=$(BUILD) $(BUILD)/bench/list_filter
	$(BUILD)/bench/list_filter

$(BUILD)/bench/list_filter: tests/bench/list_filter.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS)

deps:
	tests/deps.sh build demo test check valgrind

deps-%:
	@tests/deps.sh $(subst +, ,$*)

# A second make sees what the first one installed (pkg-config among it).
test: deps-build+test tests/node_modules/.package-lock.json
	$(MAKE) $(JOBS) BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(BUILD)/gatehouse unit-programs
	tests/run.sh all $(BUILD)

tests/node_modules/.package-lock.json: tests/package-lock.json
	cd tests && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

demo: deps-build+demo
	$(MAKE) $(JOBS) BUILD=$(BUILD) SANITIZE=$(SANITIZE) all
	@exec tests/demo/demo.sh $(BUILD)/gatehouse

# For its warnings alone: what it makes is never run.
clang: deps-build+test+check
	$(MAKE) $(JOBS) CC=clang CFLAGS=-O1 BUILD=build/clang all unit-programs

# All transports at once while everything fails, for half an hour.
SOAK_SECONDS ?= 1800

soak: deps-build+test tests/node_modules/.package-lock.json
	$(MAKE) $(JOBS) BUILD=$(BUILD) SANITIZE=$(SANITIZE) $(BUILD)/gatehouse
	GATEHOUSE_BIN=$(BUILD)/gatehouse SOAK_SECONDS=$(SOAK_SECONDS) node --test --test-reporter=spec \
		tests/integration/soak.test.mjs

valgrind: deps-build+test+valgrind
	$(MAKE) BUILD=build/valgrind CFLAGS='-O1 -g' all unit-programs
	tests/check/valgrind.sh build/valgrind

fuzz: deps-build+check
	$(MAKE) CC=clang BUILD=build/fuzz SANITIZE=address,undefined \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link' fuzz-run

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c $(LIBRARY)
	@echo '  CC $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIBRARY) $(LIBS)

fuzz-run: $(FUZZ_TARGETS)
	tests/check/fuzz.sh $(FUZZ_SECONDS) $(BUILD) $(FUZZ_TARGETS)

# What no test shows.
check: deps-build+test+check
	$(MAKE) $(JOBS) check-includes check-headers check-format check-tidy check-sizes

check-includes:
	@tests/check/includes.sh

check-headers:
	@tests/check/headers.sh '$(LANGUAGE) $(PACKAGE_CFLAGS)' $(HEADERS)

check-format:
	@clang-format --dry-run -Werror $(SOURCES) $(HEADERS) $(UNIT_SOURCES) $(FUZZ_SOURCES)

check-tidy: $(TIDY_STAMPS)

check-sizes:
	@tests/check/sizes.sh $(SOURCES) $(HEADERS)

$(BUILD)/tidy/%.stamp: %.c $(HEADERS) .clang-tidy
	@mkdir -p $(@D)
	@echo '  TIDY $<'
	$(Q)clang-tidy --quiet $< -- $(LANGUAGE) $(PACKAGE_CFLAGS) 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

install: $(BUILD)/gatehouse
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/lib/systemd/system \
		$(DESTDIR)$(PREFIX)/share/doc/gatehouse/examples
	install -m 755 $(BUILD)/gatehouse $(DESTDIR)$(PREFIX)/bin/gatehouse
	install -m 644 master/gatehouse.8 $(DESTDIR)$(PREFIX)/share/man/man8/gatehouse.8
	install -m 644 master/gatehouse.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/gatehouse.yaml.5
	sed 's|/usr/local/bin|$(PREFIX)/bin|g' master/gatehouse.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/gatehouse.service
	install -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/gatehouse/README.md
	cp -R conf/examples/. $(DESTDIR)$(PREFIX)/share/doc/gatehouse/examples/

clean:
	rm -rf build

.PHONY: all help unit unit-programs bench bench-memory profile bench-instructions bench-flat bench-filter bench-message deps test soak demo clang valgrind fuzz fuzz-run check check-includes \
	check-headers check-format check-tidy check-sizes install clean
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
