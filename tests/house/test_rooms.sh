#!/usr/bin/env bash
# The rules of the house: which room may include what (design: "Arrows go one way").
set -u
cd "${PARE_SOURCE:?}"
bad=0
complain() { echo "rooms: $*"; bad=1; }

# inside src a folder uses only folders above it in this list; job and session use only base
order=(base model data quant exec pipeline measure search train dynamic export work)
rank() { local i; for i in "${!order[@]}"; do [ "${order[$i]}" = "$1" ] && echo "$i" && return; done; echo -1; }
while IFS=: read -r file _ line; do
    room=$(cut -d/ -f2 <<<"$file")
    used=$(sed -n 's/.*#include "\([a-z]*\)\/.*/\1/p' <<<"$line")
    [ -n "$used" ] || continue
    case $room in
    job | session)
        [ "$used" = base ] || [ "$used" = "$room" ] || complain "$file includes $used/: $room uses only base"
        ;;
    work) [ "$used" = ui ] || [ "$used" = lua ] || [ "$used" = session ] || [ "$used" = command ] && complain "$file includes $used/" ;;
    command) [ "$used" = ui ] || [ "$used" = lua ] && complain "$file includes upward: $used/" ;;
    *)
        mine=$(rank "$room") theirs=$(rank "$used")
        if [ "$mine" -ge 0 ] && { [ "$theirs" -lt 0 ] || [ "$theirs" -gt "$mine" ]; }; then
            complain "$file includes $used/, which is not below $room/"
        fi
        ;;
    esac
done < <(grep -rn --include='*.[ch]' '#include "' src/*/ || true)
grep -rn --include='*.[ch]' -E '#include "(\.\./)*(src|ui|lua|model|exec|base)/' kernels && complain "kernels include nothing above"
grep -rln --include='*.[ch]' -E '#include "(\.\./)*ui/' lua && complain "lua includes ui"

# one file for each foreign header
for header in glpk.h sqlite3.h png.h jpeglib.h cairo.h hiredis.h; do
    n=$(grep -rlE --include='*.[ch]' "#include <(.*/)?$header>" src lua ui kernels | wc -l)
    [ "$n" -le 1 ] || complain "$header is included by $n files"
done
grep -rlE --include='*.[ch]' '#include <uv.h>' src lua ui kernels | grep -vE '^src/job/|^ui/loop\.|^ui/ui\.h|^ui/cli\.h' |
    while read -r f; do echo "rooms: $f includes uv.h"; done | grep . && bad=1
grep -rlE --include='*.[ch]' '#include <(lua|lauxlib|lualib)\.h>' src ui kernels && complain "lua.h outside lua/"
grep -rlE --include='*.[ch]' '#include <(ncursesw/)?(curses|ncurses)\.h>' src lua kernels && complain "curses outside ui/"

# the core prints nothing, exits never
grep -rnE --include='*.c' '(^|[^a-z_])(printf|puts|putchar|exit|abort)\(' src kernels |
    grep -vE 'snprintf|vsnprintf|//|\* ' && complain "the core prints or exits"
exit $bad
