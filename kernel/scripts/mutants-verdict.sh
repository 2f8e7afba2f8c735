# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Who killed a mutant: what the console of a machine says, the rule, and the
# table of all.  Sourced by run-mutants.sh.

# The functions below work on these, set by the caller:
: "${store:?}" "${work:?}" "${kernel_dir:?}"
# shellcheck source=between-markers.sh
. "$(dirname "${BASH_SOURCE[0]}")/between-markers.sh"

# At most so many tests of each program are chosen for a mutant.
CHOSEN=5

# tests_of NAME -- the tests that have killed it before, or that ought to: a line each.
tests_of() {
	local header
	header=$(header_of "$1" X-Tests)
	if [ -n "$header" ]; then tr ' ' '\n' <<<"$header"
	else grep -F -m1 "| [$1]($1.patch) |" "$killers" | grep -oE '`[A-Za-z0-9_.]+`' | tr -d '`' | awk '!seen[$0]++'; fi
}

# chosen_for RIG MUTANT... -- the suites of that rig with the tests of these mutants
# alone, in one line as suites_of() says it; nothing without --killers.
chosen_for() {
	local rig=$1 name list='' hmm='' program=p2p_functional options=--oracle=stdio known
	shift
	[ -n "$killers" ] || return 0
	case $rig in
	rdma) program=p2p_rdma options='' ;;
	provoke) options=--provoke ;;
	esac
	known=$("$store/suites/$tests_key-$series_key/$program" --list)
	for name; do
		case " $(header_of "$name" X-Rig) " in *" $rig "*) ;; '  ') [ "$rig" = switch ] || continue ;; *) continue ;; esac
		list+=$(tests_of "$name" | grep -xF -- "$known" | head -n $CHOSEN | sed 's/$/,/' | tr -d '\n') || true
		hmm+=$(tests_of "$name" | grep '^hmm' | head -n $CHOSEN | sed 's/^/ -r /' | tr -d '\n') || true
	done
	list=$(tr ',' '\n' <<<"$list" | sort -u | grep . | paste -sd,) || true
	hmm=$(grep -oE -- '-r [^ ]+' <<<"$hmm" | sort -u | paste -sd' ') || true
	case $rig in switch | debug) ;; *) hmm='' ;; esac
	[ -z "$list" ] || printf ' %s' "-- $program --list -- marked $program $options --only $list"
	[ -z "$hmm" ] || printf ' %s' "-- hmm-tests -l -- marked hmm-tests $hmm"
}

# baseline_of RIG -- the name of the file with what the series does there.
baseline_of() { echo "baseline-$1${killers:+-chosen}"; }

# boot BUNDLE RIG LOG MUTANT... -- with all tests, or those chosen for these mutants.
boot() {
	local config args suites chosen
	read -r config args < <(rig_of "$2")
	: "$config"
	read -r -a args <<<"$args"
	chosen=$(chosen_for "$2" "${@:4}")
	read -r -a suites <<<"${chosen:-$(suites_of "$2")}"
	# boot-vm.sh fails when a test kills the mutant, which is no error here.
	nice -n 5 "$here/boot-vm.sh" --bundle "$1" "${args[@]}" --timeout "$seconds" "${suites[@]}" \
		>"$3" 2>&1 || true
	# A result counts only for the kernel it is said to be of.
	! grep -q '^# notes: ' "$3" || grep -q "^# notes: .*$(cat "$1/build-id")" "$3" ||
		echo "not ok 0 another kernel was running" >>"$3"
}

# read_log LOG -- one line each: pass|fail|skip|crash|hang|splat|way TEST [TEXT].
# "way" is how the data of a passing test went, in the words of its proof line.
read_log() {
	tr -d '\r\000' <"$1" | awk '
		function plain(text) {
			# A mutant may move the line of a message that is known.
			sub(/^\[[^]]*\] */, "", text); gsub(/\.c:[0-9]+/, ".c", text); gsub(/\.h:[0-9]+/, ".h", text); sub(/\+0x[0-9a-f]+\/.*/, "", text)
			gsub(/0x[0-9a-f]+|[0-9a-f]{8,}/, "N", text); gsub(/(pid|CPU)[#:=]? *[0-9]+/, "", text)
			return text
		}
		/^KTAP version/ { begun = 1 }
		/^#  RUN / { test = $3; running = 1; way = "" }
		/^# test: / { test = $3; running = 1; way = "" }
		/^# proof: .*"expected":"(peer|ram)"/ {
			way = $0; sub(/.*"expected":"/, "", way); sub(/".*/, "", way)
			taken = $0; sub(/.*"taken":"/, "", taken); sub(/".*/, "", taken)
			way = way (taken == "ram" ? " ram" : " alias " taken)
		}
		/^ok [0-9]+ / { if (way != "") print "way " $3 " " way }
		/^ok [0-9]+ / { print (/ # SKIP/ ? "skip " : "pass ") $3; running = 0 }
		/^not ok 0 another kernel/ { print "wrong kernel"; next }
		/^not ok [0-9]+ / { print (/ # XFAIL/ ? "skip " : "fail ") $4; running = 0 }
		/^# kernel: / {
			id = $3; sub(/^# kernel: [^ ]+ /, ""); text = plain($0); told[text]
			print "splat " id " " text; next
		}
		!/^(#|ok |not ok |boot-vm)/ && /WARNING|BUG:|Oops|INFO:|DMAR: .*fault|clamping|DMA-API|leaked/ {
			text = plain($0)
			if (!(text in told)) { late[text] = running ? test : "-" }
		}
		/Kernel panic/ { panic = 1 }
		/^boot-vm: done/ { done = 1 }
		END {
			if (!begun) test = "boot"
			if (!done) print (panic ? "crash " : "hang ") (running || !begun ? test : "after-" test)
			for (text in late) print "splat " late[text] " " text
		}'
}

# known_splats: kernel messages that the unbroken series causes, too.
# judge NAME RIG -- the tests that killed it there, one a line.
judge() {
	awk -v baseline="$store/results/$(baseline_of "$2")" '
		BEGIN {
			while ((getline line <baseline) > 0) {
				split(line, f, " ")
				if (f[1] == "pass") passes[f[2]]
				if (f[1] == "way") { way[f[2]] = f[3] " " f[4] " " f[5] }
				if (f[1] == "splat") { sub(/^splat [^ ]+ /, "", line); known[line] }
			}
		}
		$1 == "fail" && $2 in passes { print $2 }
		# The rule of the farm: peer data must take the way it takes without the
		# mutant, and RAM stays RAM.
		$1 == "way" && $2 in passes && way[$2] != $3 " " $4 " " $5 {
			print $2 " (" ($4 == "ram" ? "went through RAM" : "took the alias as " $5) ")"
		}
		$1 == "crash" || $1 == "hang" { print $2 " (" $1 ")" }
		$1 == "splat" {
			id = $2; text = $0; sub(/^splat [^ ]+ /, "", text)
			if (!(text in known) && !((id, text) in seen)) {
				seen[id, text]
				gsub(/\|/, "/", text)
				print (id == "-" ? "kernel-log" : id) " (" substr(text, 1, 70) ")"
			}
		}' "$work/$1.$2.result" | awk '!seen[$0]++'
}

# table_rows [FILE] -- one for each mutant, from the results that are still true; of
# those that this call was not about as it stands in FILE.
table_rows() {
	local name kills shown count before
	echo '| mutant | what it breaks | rig | killed by |'
	echo '|---|---|---|---|'
	for file in "$kernel_dir"/mutants/*.patch; do
		name=$(basename "$file" .patch)
		[ -z "$(header_of "$name" X-Drill)" ] || continue
		case ,${only:-$name}, in
		*",$name,"*) ;;
		*)	before=$(grep -F -m1 "| [$name]($name.patch) |" "${1-/dev/null}" || true)
			[ -z "$before" ] || { printf '%s\n' "$before"; continue; } ;;
		esac
		kills='' shown='not run'
		if fresh='' have_result "$name"; then
			kills=$(sed -n 's/^killed [^ ]* //p' "$store/results/$name.mutant" | sort -u)
			count=$(grep -c . <<<"$kills" || true)
			shown=$(head -12 <<<"$kills" | sed -E "s/^([^ ]+)/\`\1\`/" | paste -sd, | sed "s/,/, /g")
			[ "$count" -le 12 ] || shown+=", and $((count - 12)) more"
			[ -n "$kills" ] || shown='**nobody**'
		fi
		rigs=$(header_of "$name" X-Rig)
		printf '| [%s](%s.patch) | %s | %s | %s |\n' "$name" "$name" "$(title_of "$name")" "${rigs:-switch}" "$shown"
	done
}

# write_table FILE -- the rows into it, between the marker lines.
write_table() {
	local begin='<!-- mutants: written by scripts/run-mutants.sh -->' end='<!-- mutants: end -->'
	table_rows "$1" >"$work/rows"
	replace_between "$begin" "$end" "$work/rows" "$1" ||
		{ echo "$begin"; cat "$work/rows"; echo "$end"; } >>"$1"
}
