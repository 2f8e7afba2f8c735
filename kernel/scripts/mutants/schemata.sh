# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For build-bundle.sh: one kernel that carries mutants of its series' own lines, of
# which debugfs' peerlab_mutant chooses one.  Sourced, not run.

: "${here:?}" "${work:?}" "${base:?}" "${overlay:?}"

# Rounds of leaving out what the compiler refuses.
SCHEMATA_ROUNDS=25

# generate_mutants ARGUMENT... -- what generate.pl makes of the series.
generate_mutants() {
	"$here/mutants/generate.pl" --before "$base/tree" --after "$work/series" \
		--without "$work/mutants/without" "$@" || fail_infrastructure "no mutants can be made of the series" "see the build's log"
}

# More mutants than this are in no kernel.
SCHEMATA_MAX=2000

# make_mutants -- lists them in $work/mutants/list and puts them into the overlay.
make_mutants() {
	mkdir "$work/mutants"
	cp -a "$overlay" "$work/series"
	cp "$work/touched" "$work/touched.series"
	: >"$work/mutants/without"
	: >"$work/mutants/dropped"
	generate_mutants --list >"$work/mutants/all"
	cut -f2 "$work/mutants/all" | sort | tail -n +$((SCHEMATA_MAX + 1)) >"$work/mutants/without"
	generate_mutants --list >"$work/mutants/list"
	[ -s "$work/mutants/list" ] || fail_compile "nothing can be changed in the lines that this series adds: there are no mutants of it"
	lay_mutants
}

# lay_mutants -- the overlay is the series with all mutants that are not dropped.
lay_mutants() {
	rm -rf "$overlay"
	cp -a "$work/series" "$overlay"
	generate_mutants --schemata "$work/schemata.patch" --off "$work/mutants/dropped"
	"$here/split-series.pl" --names "$work/schemata.patch" >"$work/schemata.names"
	while IFS= read -r name; do
		[ -e "$overlay/$name" ] || copy_original "$name"
	done <"$work/schemata.names"
	git_apply "$work/schemata.patch" >&2 || fail_infrastructure "the mutants of the series do not apply to it" "see the build's log"
	sort -u "$work/touched.series" "$work/schemata.names" >"$work/touched"
}

# drop_mutants LOG -- leaves out those that the compiler refuses; false when there are none.
drop_mutants() {
	local refused
	SCHEMATA_ROUNDS=$((SCHEMATA_ROUNDS - 1))
	refused=$("$here/mutants/plan.pl" "$work/mutants" drop "$1") || return 1
	[ "$refused" -gt 0 ] && [ "$SCHEMATA_ROUNDS" -gt 0 ] || return 1
	echo "the compiler refuses $refused mutants" >&2
	lay_mutants
}

# keep_mutants TREE OUT COUNT -- the list of them, and what became of each, into the
# bundle.  Of those that are built it has COUNT: the others are in the kernel, and never
# chosen.  By id, which is as good as at random.
keep_mutants() {
	perl -MJSON::PP -e '
		my ($folder, $tree, $total, $count) = @ARGV;
		sub rows { open my $file, "<:raw", $_[0] or die "$_[0]: $!\n"; chomp(my @rows = <$file>); map { [split /\t/] } @rows }
		my %dropped = map { $_->[0] => 1 } rows("$folder/dropped");
		my @mutants = map {
			my ($number, $id, $place, $kind, $function, $what) = @$_;
			my ($path, $line) = $place =~ /^(.*):(\d+)$/;
			(my $object = $path) =~ s/\.c$/.o/;
			{ number => 0 + $number, id => $id, path => $path, line => 0 + $line, kind => $kind, function => $function,
				what => substr($what, 0, 200), state => $dropped{$id} ? "refused" : -f "$tree/$object" ? "built" : "not-built" };
		} rows("$folder/list");
		my @built = sort map { $_->{id} } grep { $_->{state} eq "built" } @mutants;
		my %left = map { $_ => 1 } @built[$count .. $#built];
		@mutants = grep { !$left{ $_->{id} } } @mutants;
		print JSON::PP->new->canonical->latin1->encode({ schema => 1, total => 0 + $total, mutants => \@mutants });
	' "$work/mutants" "$1" "$(wc -l <"$work/mutants/all")" "$3" >"$2/mutants.json"
}
