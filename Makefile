# Gatehouse. `make` builds build/gatehouse; `make demo` and `make test` install what they need.
BUILD ?= build
CC ?= gcc
PREFIX ?= /usr/local
SANITIZE ?=

PACKAGES = openssl yaml-0.1 libcjson libcurl libcares
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Werror
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fno-strict-aliasing
CFLAGS ?= -O2 -g
ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
HARDENING := $(filter-out -D_FORTIFY_SOURCE=2,$(HARDENING))
endif
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -I. $(WARNINGS) $(HARDENING) $(CFLAGS) -MMD -MP \
	$(shell pkg-config --cflags $(PACKAGES))
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PACKAGES)) -llmdb -lev

SOURCES = $(wildcard master/*.c worker/*.c shared/*.c conf/*.c)
MAIN = master/main.c
LIBRARY_OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(SOURCES)))
LIBRARY = $(BUILD)/libgatehouse.a
UNIT_SOURCES = $(wildcard tests/unit/*/test_*.c)
UNIT_TESTS = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SOURCES))

all: $(BUILD)/gatehouse

$(BUILD)/gatehouse: $(BUILD)/master/main.o $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(LIBRARY_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LIBS) -lcmocka

unit: $(UNIT_TESTS)
	@set -e; for test in $(UNIT_TESTS); do echo "$$test"; $$test; done

clean:
	rm -rf $(BUILD)

.PHONY: all unit clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
