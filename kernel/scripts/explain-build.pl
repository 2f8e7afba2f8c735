#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Why a kernel did not build: explain-build.pl LOG TREE
#
# Prints one line: class, file, line, detail and the line of the log, separated by the
# control character US.  The
# reason is the first error in the log, whatever program it is from; a warning never
# is, and what make says of it at the end only where nothing else is there.  Class is
# compile, or infrastructure for a tool that the builder lacks.
use strict;
use warnings;

# Longer lines are no help to a reader.
use constant LINE_MAX => 1000;

my ($log, $tree) = @ARGV;
defined $tree or die "usage: explain-build.pl LOG TREE\n";

# A path as the tree has it.
sub in_tree {
	my ($path) = @_;
	$path =~ s{^\Q$tree\E/}{};
	$path =~ s{^\./}{};
	return $path;
}

# The source of an object that the linker names.
sub source_of {
	my ($object) = @_;
	my $path = in_tree($object);
	for my $extension ('c', 'S') {
		(my $source = $path) =~ s/\.o$/.$extension/;
		return $source if -f "$tree/$source";
	}
	return $path;
}

# What `ld: in function` named last: the lines after it have the name without its folder.
my $object = '';

# An error that a line of the log is, as [class, file, line, detail].
sub error_in {
	local ($_) = @_;
	return if /(?:^|[ :])warning: / && !/(?:^|[ :])error: /i;
	# ld and collect2
	if (/^(?:\S*ld(?:\.bfd|\.lld)?: )?(\S+\.o): in function [`'"]/) {
		$object = $1;
		return;
	}
	if (/^(?:\S*ld(?:\.bfd|\.lld)?: )?(\S+?):(?:(\d+):)?(?:\([^)]*\):)? ((?:undefined reference to|multiple definition of) .*)/) {
		my ($place, $line, $detail) = ($1, $2, $3);
		my $file = $place =~ m{/} || $object eq '' ? in_tree($place) : source_of($object);
		$file = source_of($place) if $place =~ /\.o$/;
		return ['compile', $file, $line, $detail];
	}
	return ['compile', '', undef, $1] if /^\S*ld(?:\.bfd|\.lld)?: (?:error: )?((?:undefined symbol|duplicate symbol|cannot find|unrecognized|relocation).*)/;
	return ['compile', source_of($1), undef, $2] if /^\S*ld(?:\.bfd|\.lld)?: (\S+\.o): ((?:relocation|undefined|file not recognized).*)/;
	# gcc, as, cc1, clang, Kconfig
	return ['compile', in_tree($1), $2, $3] if /^(?:In file included from )?([^\s:][^:]*):(\d+):(?:\d+:)? ?(?:fatal )?error: (.*)/i;
	return ['compile', source_of($1), undef, "objtool: $2"] if /^(\S+\.o): error: objtool: (.*)/;
	return ['compile', '', undef, $1] if /^(?:cc1|gcc|clang|as|c1|cc)\S*: (?:fatal )?error: (.*)/ && !/some warnings being treated|all warnings being treated/;
	return ['compile', $1, undef, "objtool: $2"] if /^error: objtool: (\S+): (.*)/;
	# modpost
	return ['compile', $2, undef, "modpost: \"$1\" is undefined"] if /^ERROR: modpost: "([^"]+)" \[([^\]]+)\] undefined!/;
	return ['compile', source_of($2), undef, "modpost: $1"] if /^ERROR: modpost: (missing MODULE_LICENSE\(\)) in (\S+)/;
	return ['compile', '', undef, "modpost: $1"] if /^ERROR: modpost: (.*)/;
	# Kconfig and defconfigs
	return ['compile', in_tree($1), $2, $3] if m{^(\S*Kconfig\S*):(\d+): ?(?:error: ?)?((?:syntax error|can't open|recursive|invalid|unexpected|unknown|unterminated|missing|inconsistent|.* unexpected|.*not allowed).*)};
	return ['compile', '', undef, $1] if /^\*\*\* (Can't find default configuration .*)/;
	return ['compile', in_tree($1), undef, 'there is no such configuration in the tree'] if /^cat: (\S+\.config): No such file/;
	# a tool that the builder lacks
	return ['infrastructure', '', undef, "the command '$1' is missing"]
		if m{^(?:[\w./-]{1,200}: (?:line )?\d{1,6}|(?:/bin/)?(?:ba)?sh): (\w[\w.+-]*): (?:command )?not found$} || m{^make(?:\[\d+\])?: (\w[\w.+-]*): (?:Command not found|No such file or directory)$};
	# make itself
	return ['compile', in_tree($1), $2, $3] if /^(\S*(?:Makefile|Kbuild|\.mk)\S*):(\d+): \*\*\* (.*?)\s*Stop\.$/;
	return ['compile', '', undef, $1] if /^make(?:\[\d+\])?: \*\*\* (No rule to make target .*?)\.?\s*(?:Stop\.)?$/;
	return;
}

open my $in, '<:raw', $log or die "$log: $!\n";
my ($found, $said, $last, $made) = (undef, '', '', undef);
while (my $line = <$in>) {
	chomp $line;
	$line = substr $line, 0, LINE_MAX;
	$line =~ s/[\x00-\x08\x0a-\x1f]//g;
	$line =~ s/\t/ /g;
	$last = $line if $line =~ /\S/;
	if ($line =~ /^make(?:\[\d+\])?: \*\*\* \[(?:\S+: )?(\S+)\] (Error \d+)/ && !defined $made) {
		$made = ['compile', source_of($1), undef, "$1: $2", $line];
	}
	my $error = error_in($line) or next;
	($found, $said) = ($error, $line);
	last;
}
if (!defined $found) {
	($found, $said) = defined $made ? ($made, $made->[4]) : (['compile', '', undef, $last], $last);
}
printf "%s\x1f%s\x1f%s\x1f%s\x1f%s\n", $found->[0], $found->[1], $found->[2] // '', $found->[3], $said;
