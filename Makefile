# Souk.  `make help` lists what there is to make.
#
# A function is a file of functions/*/, and becomes build/bin/<context>-<verb>;
# those of a context named *-sim share one binary.  None is named here or
# anywhere else.

B	?= build
CC	?= cc
FUZZ_CC	?= clang
CFLAGS	?= -O2 -g
WARN	 = -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes \
	   -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2
SAN	 = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
DEFINES	 = -D_GNU_SOURCE $(if $(FAULTS),-DFAULT_POINTS)
PKGS	 = libpq libcjson hiredis libjwt libcurl libssl libcrypto
# Hidden: libjwt's jansson has a json_string() too, and must not find ours.
COMPILE	 = $(CC) -std=c11 $(DEFINES) -I. -Iruntime -Ishared -ffunction-sections -fdata-sections -fvisibility=hidden \
	   -fno-plt $(WARN) $(CFLAGS) $(SAN) $(PKG_CFLAGS)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# Each binary is linked with what it uses, and nothing else.
LINK	 = $(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -Wl,--as-needed,--gc-sections,-O1,-z,relro
LIBS	 = -lfcgi -lpq -lcjson -lhiredis -ljwt -lcurl -lssl -lcrypto -lcrypt -lz -lm
TEST_LIBS = -lcmocka

# What decodes pictures is one program; nothing else is linked with these.
CODECS	 = libjpeg libpng libwebp libwebpdemux lcms2
$(B)/shared/programs/picture.o $(B)/shared/programs/picture/%.o: PKG_CFLAGS += $(shell pkg-config --cflags $(CODECS) 2>/dev/null)
$(B)/tools/picture: MORE_LIBS := $(shell pkg-config --libs $(CODECS) 2>/dev/null)

# Sorted, for the order that wildcard has is of the locale, and settings are told
# in the order they are linked.
RUNTIME	:= $(sort $(wildcard runtime/*.c))
SHARED	:= $(sort $(wildcard shared/*.c))
ENDPOINTS := $(sort $(wildcard functions/*/*.c))
SINGLE	:= $(filter-out $(wildcard functions/*-sim/*.c),$(ENDPOINTS))
PACKED	:= $(patsubst functions/%/,%,$(sort $(dir $(wildcard functions/*-sim/*.c))))
TOOLS	:= $(wildcard runtime/programs/*.c shared/programs/*.c schema/*.c)
# What a tool has in a folder of its name is linked with it.
parts_of = $(wildcard $(1:%.c=%)/*.c)
UNITS	:= $(wildcard tests/unit/*.c)
BENCH	:= $(wildcard tests/bench/*.c)
FUZZ	:= $(wildcard tests/fuzz/*.c)
CORES	:= $(shell nproc)

# functions/orders/place.c is build/bin/orders-place.
binary	 = $(B)/bin/$(subst /,-,$(patsubst functions/%.c,%,$(1)))
PROGRAMS := $(foreach s,$(SINGLE),$(call binary,$(s))) $(PACKED:%=$(B)/bin/%)
TOOL_PROGRAMS := $(foreach s,$(TOOLS),$(B)/tools/$(basename $(notdir $(s))))
TESTS	:= $(UNITS:tests/unit/%.c=$(B)/test/%)
BENCHES	:= $(BENCH:tests/bench/%.c=$(B)/bench/%)
FUZZERS	:= $(FUZZ:tests/fuzz/%.c=$(B)/fuzz/%)
OBJECTS	:= $(patsubst %.c,$(B)/%.o,$(RUNTIME) $(SHARED) $(ENDPOINTS) $(TOOLS) $(foreach s,$(TOOLS),$(call parts_of,$(s))) $(UNITS) $(BENCH) $(FUZZ))

.PHONY: all
all: $(B)/api.json $(TOOL_PROGRAMS) ## build every function and tool

define link_single
$(call binary,$(1)): $(1:%.c=$(B)/%.o) $(B)/runtime/main.o $(B)/libsouk.a
endef
$(foreach s,$(SINGLE),$(eval $(call link_single,$(s))))
define link_packed
$(B)/bin/$(1): $(patsubst %.c,$(B)/%.o,$(sort $(wildcard functions/$(1)/*.c))) $(B)/runtime/main.o $(B)/libsouk.a
endef
$(foreach s,$(PACKED),$(eval $(call link_packed,$(s))))
$(PROGRAMS):
	@mkdir -p $(@D)
	@echo '  LINK $@'
	@$(LINK) -o $@ $(filter %.o,$^) $(B)/libsouk.a $(LIBS)

define link_tool
$(B)/tools/$(basename $(notdir $(1))): $(patsubst %.c,$(B)/%.o,$(1) $(call parts_of,$(1))) $(B)/libsouk.a
	@mkdir -p $$(@D)
	@echo '  LINK $$@'
	@$$(LINK) -o $$@ $$(filter %.o,$$^) $(B)/libsouk.a $$(LIBS) $$(MORE_LIBS)
endef
$(foreach s,$(TOOLS),$(eval $(call link_tool,$(s))))

$(TESTS): $(B)/test/%: $(B)/tests/unit/%.o $(B)/libsouk.a
	@mkdir -p $(@D)
	@echo '  LINK $@'
	@$(LINK) -o $@ $< $(B)/libsouk.a $(TEST_LIBS) $(LIBS)

# An endpoint only the bench has; with a main() of its own it is left at that.
$(BENCHES): $(B)/bench/%: $(B)/tests/bench/%.o $(B)/libsouk.a $(B)/runtime/main.o
	@mkdir -p $(@D)
	@echo '  LINK $@'
	@$(LINK) -o $@ $< $$(grep -q '^main(' tests/bench/$*.c || echo $(B)/runtime/main.o) \
	    $(B)/libsouk.a $(LIBS)

$(FUZZERS): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libsouk.a
	@mkdir -p $(@D)
	@echo '  LINK $@'
	@$(LINK) -fsanitize=fuzzer -o $@ $< $(B)/libsouk.a $(LIBS)

$(B)/libsouk.a: $(patsubst %.c,$(B)/%.o,$(filter-out runtime/main.c,$(RUNTIME)) $(SHARED))
	@echo '  AR   $@'
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $<'
	@$(COMPILE) -MMD -MP -c -o $@ $<

# Embedded by the assembler, where -MMD does not look.
$(B)/shared/common_passwords.o: shared/common_passwords.txt
$(B)/runtime/limit.o: runtime/limit.lua
$(B)/functions/stripe-sim/page.o: functions/stripe-sim/page.html
$(B)/functions/stripe-sim/page_css.o: functions/stripe-sim/page.css
$(B)/functions/stripe-sim/page_js.o: functions/stripe-sim/page.js
$(B)/shared/mail_template.o: COMPILE += -Wa,-I$(B)
$(B)/shared/mail_template.o: $(B)/mail_templates
$(B)/mail_templates: $(wildcard shared/mail/*) $(B)/sources
	@for f in $(sort $(wildcard shared/mail/*)); do \
		printf '\f%s\n' $${f##*/}; cat $$f || exit 1; done >$@

# Other flags rebuild everything; a file come or gone relinks.
record	 = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' >$@
$(B)/flags: FORCE
	$(call record,$(COMPILE))
$(B)/sources: FORCE
	$(call record,$(RUNTIME) $(SHARED) $(ENDPOINTS) $(sort $(wildcard shared/mail/*)))
$(B)/libsouk.a $(PROGRAMS): $(B)/sources

# Every declaration, checked by each binary itself.
$(B)/api.json: $(PROGRAMS)
	@for p in $(B)/bin/*; do case " $(PROGRAMS) " in *" $$p "*) ;; *) rm -f $$p;; esac; done
	@for p in $(sort $(PROGRAMS)); do $$p --describe || exit 1; done >$@.in
	@jq -s . $@.in >$@ && rm $@.in

-include $(OBJECTS:.o=.d)
.PHONY: run stop install uninstall monitoring backup restore rotate-keys mail saga sagas test tests oversell chaos chaos-mutants bench bench-scale fuzz fuzz-long fuzzers fuzz-programs derive check-derived check-sql image images new clean help FORCE

run: ## install what is missing, build, and bring the local stack up
	@deploy/local/install build run
	@$(MAKE) --no-print-directory -j$(CORES) all
	@deploy/local/up
stop: ## stop the local stack; its data stays in .run
	@deploy/local/down
PREFIX	?= /usr/local
install: all ## for systemd: PREFIX=/usr DESTDIR=; see deploy/systemd/README.md
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) deploy/systemd/install $(B)
uninstall: ## take away what was installed; data, settings and secrets stay
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) deploy/systemd/install --remove
monitoring: ## install what is missing, start Prometheus and Alertmanager beside the stack
	@deploy/local/install monitoring
	@deploy/monitoring/up
mail: ## the latest mails that the local stack has written; N=3 shows number 3
	@deploy/local/mail $(N)
saga: ## ID=7 or ORDER=7: what a saga of the local stack has been through
	@deploy/local/saga $(if $(ORDER),--order $(ORDER)) $(ID)
sagas: ## the sagas that have not ended, those that are stuck first
	@deploy/local/saga --list
backup: ## back the running stack up; TO=DIR, KEYS=no, BASE=yes for its WAL_ARCHIVE
	@deploy/backup/backup $(if $(TO),--to '$(TO)') $(if $(filter no,$(KEYS)),--without-keys) \
	    $(if $(BASE),--base)
restore: ## FROM=DIR, a backup, into an empty stack; AT="2026-11-26 18:00Z" of an archive
	@deploy/local/install build run
	@deploy/backup/restore $(if $(FROM),--from '$(FROM)') $(if $(AT),--at '$(AT)')
rotate-keys: ## sign access tokens with a new key; nobody is signed out
	@deploy/local/rotate-keys

tests: all $(TESTS) $(BENCHES) ## build the tests too, and the bench
# Both compilers, what is derived, every statement, every test; then the suite
# once more under the sanitizers, in a build that can be told where to die; then
# every fuzz target for a minute.
ASAN	 = B=build/asan SANITIZE=address,undefined FAULTS=1
# The build that can be told where to die, without the sanitizers' slowness.
FAULTY	 = B=build/faults FAULTS=1
FUZZING	 = B=build/fuzz CC="$(FUZZ_CC)" SANITIZE=fuzzer-no-link,address,undefined
STACK	 = deploy/local/with-stack --bin $(1)/bin --tools $(1)/tools
test: ## install what is missing, build, and run every test
	@deploy/local/install build run test monitoring containers machine definitions
	@$(MAKE) --no-print-directory -j$(CORES) tests
	@$(MAKE) --no-print-directory -j$(CORES) B=build/clang CC=clang tests
	@$(MAKE) --no-print-directory -j$(CORES) $(ASAN) tests
	@$(MAKE) --no-print-directory -j$(CORES) $(FAULTY) all
	@$(MAKE) --no-print-directory fuzzers
	@$(MAKE) --no-print-directory check-derived
	@tests/all
chaos: ## everything dies while customers buy: N=10000 injections, SEED=
	@deploy/local/install build run test
	@$(MAKE) --no-print-directory -j$(CORES) $(FAULTY) all
	@tests/chaos/run node tests/chaos/main.mjs $(or $(N),300) $(SEED)
chaos-mutants: ## chaos and the saga's tests against sagas with one thing wrong
	@deploy/local/install build run test
	@$(MAKE) --no-print-directory -j$(CORES) $(FAULTY) all
	@node tests/chaos/mutants.mjs
check-sql: all ## prepare every statement against the schema
	@$(call STACK,build) tests/check-sql build/api.json
# A target's name alone is TARGETS="body token"; SECONDS is for each.
fuzz: fuzzers ## run every fuzz target for a minute
	@tests/fuzz/run $(or $(SECONDS),60) $(TARGETS)
fuzz-long: fuzzers ## run every fuzz target for an hour
	@tests/fuzz/run $(or $(SECONDS),3600) $(TARGETS)
fuzzers: ## build the fuzz targets
	@deploy/local/install build test
	@$(MAKE) --no-print-directory -j$(CORES) $(FUZZING) fuzz-programs
fuzz-programs: $(FUZZERS)
oversell: all ## N=100000 checkouts over a few units, late payments and all
	@deploy/local/install test
	@N=$(or $(N),100000) API_JSON=build/api.json $(call STACK,build) -- \
	    node --test-reporter tap tests/oversell/oversell.test.mjs
bench: all $(BENCHES) ## measure, as ratios in one run; PARTS="rates recovery jobs overload churn", or --quick
	@deploy/local/install test
	@tests/bench/run $(PARTS)
bench-scale: all ## lists and searches at 1,000, 100,000 and 1,000,000 products
	@deploy/local/install test
	@PLANS=$(or $(PLANS),build/plans) $(call STACK,build) -- node tests/bench/scale.mjs

image: ## F=orders/place, or gateway: a container image, by podman
	@deploy/local/install containers
	@deploy/container/build $(F)
images: ## every container image; deploy/container/README.md says how they are run
	@deploy/local/install containers
	@deploy/container/build --all
derive: $(B)/api.json ## render routes, OpenAPI, docs page, manifests and Postman collection
	@gateway-conf/derive/render $<
check-derived: $(B)/api.json ## fail when what is derived is stale
	@gateway-conf/derive/check $<
new: ## make F=orders/refund: a new endpoint that builds
	@runtime/skeleton/new $(F)
clean: ## remove what was built
	$(RM) -r build
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
