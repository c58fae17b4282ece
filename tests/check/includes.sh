#!/bin/bash
# The include rules: who may know whom, and that each third-party header has one home.
set -uo pipefail
cd "$(dirname "$0")/../.."
wrong=0

refuse() {
    echo "$1"
    wrong=1
}

# Every quoted include of a directory must match one of the patterns.
may_include() { # directory, pattern
    local hits
    hits=$(grep -nE '^#include "' "$1"/*.[ch] | grep -vE "#include \"($2)\"")
    [ -z "$hits" ] || refuse "$hits
    $1/ may include $2 only"
}

may_include shared 'shared/[a-z0-9_]+\.h'
may_include conf '(shared|conf)/[a-z0-9_]+\.h'
may_include worker '(shared|worker)/[a-z0-9_]+\.h'
may_include master '(shared|master)/[a-z0-9_]+\.h|conf/roles\.h|worker/roles\.h'

# A third-party header is included by the files named, and by no other.
one_home() { # header pattern, file pattern
    local hits
    hits=$(grep -nE "^#include <($1)>" {master,conf,worker,shared}/*.[ch] 2>/dev/null |
        grep -vE "^($2):")
    [ -z "$hits" ] || refuse "$hits
    <$1> has its home in $2"
}

one_home 'lmdb\.h' 'shared/store_parts\.h'
one_home 'yaml\.h' 'conf/yaml\.c'
one_home 'curl/.*' 'conf/http_fetch\.c'
one_home 'ares.*\.h' 'conf/resolver\.c'
one_home '(cjson/)?cJSON\.h' 'shared/json_document\.c'
one_home 'pcre2\.h' 'shared/pattern\.c'
one_home 'openssl/ssl\.h' 'worker/tls(_context|_server|_trust)?\.c'
one_home 'openssl/sha\.h' 'shared/digest\.c'
one_home 'openssl/(ec|evp|rsa|pem|core_names|param_build|bn|decoder|encoder|x509).*\.h' \
    'shared/jose(_key|_jwk)?\.c|shared/certificate\.c|worker/tls_(server|trust)\.c'
# A key as OpenSSL has it is no business of who signs or verifies with it.
one_home 'openssl/types\.h' 'shared/jose_key_parts\.h'

# What the files of one noun share among themselves is no business of any other.
inside() { # header, file pattern
    local hits
    hits=$(grep -nE "^#include \"shared/$1\"" {master,conf,worker,shared}/*.[ch] |
        grep -vE "^($2):")
    [ -z "$hits" ] || refuse "$hits
    $1 is for $2 alone"
}

inside 'jose_key_parts\.h' 'shared/jose(_key|_jwk)?\.c'
inside 'store_parts\.h' 'shared/store_(open|read|write|usage|check)\.c'

# Any other header in angle brackets is the C library's, the kernel's, libev's or OpenSSL's.
known='(asm|linux|sys|net|netinet|arpa)/[a-z0-9_]+\.h|openssl/[a-z0-9_]+\.h|[a-z0-9_]+\.h|cjson/cJSON\.h|cJSON\.h|curl/curl\.h'
unknown=$(grep -nE '^#include <' {master,conf,worker,shared}/*.[ch] | grep -vE "#include <($known)>")
[ -z "$unknown" ] || refuse "$unknown
    a header nobody is known to need"

exit $wrong
