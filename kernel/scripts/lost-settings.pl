#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Settings that were asked for and are not in a configuration:
#   lost-settings.pl TREE FRAGMENT...
#
# Prints a line for each, in their order: fragment TAB setting TAB why.  A later
# fragment overrules an earlier one.  Reads TREE/.config, or what KCONFIG_CONFIG names,
# and the Kconfig files of the tree for what there is; runs nothing of it.
use strict;
use warnings;
use File::Find;

my ($tree, @fragments) = @ARGV;
@fragments or die "usage: lost-settings.pl TREE FRAGMENT...\n";

# Settings of a file in their order: [symbol, value], the value of a symbol that is not set being n.
sub settings {
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!\n";
	my @found;
	while (<$in>) {
		s/\s+$//;
		push @found, [$1, $2] if /^(CONFIG_\w+)=(.*)/;
		push @found, [$1, 'n'] if /^# (CONFIG_\w+) is not set/;
	}
	return @found;
}

my %actual = map { $_->[0] => $_->[1] } settings($ENV{KCONFIG_CONFIG} // "$tree/.config");
my (%wanted, @order);
for my $fragment (@fragments) {
	for my $setting (settings($fragment)) {
		my ($symbol, $value) = @$setting;
		push @order, $symbol unless exists $wanted{$symbol};
		$wanted{$symbol} = [$fragment, $value];
	}
}
my @lost = grep { ($actual{$_} // 'n') ne $wanted{$_}[1] } @order;
exit 0 unless @lost;

# Which of them the tree knows.
my %known;
my $names = join '|', map { s/^CONFIG_//r } @lost;
find({ no_chdir => 1, wanted => sub {
	return unless m{/Kconfig[^/]*$} && !-l && -f;
	open my $in, '<', $_ or return;
	while (my $line = <$in>) { $known{"CONFIG_$1"} = 1 if $line =~ /^\s*(?:menu)?config\s+($names)\s*$/; }
} }, $tree);

for my $symbol (@lost) {
	my ($fragment, $value) = @{$wanted{$symbol}};
	my $actual = $actual{$symbol};
	my $why = !$known{$symbol} ? 'this source has no such option'
		: $value eq 'n' ? "another option selects it, it is $actual"
		: !defined $actual || $actual eq 'n' ? 'something that it depends on is not set'
		: "it is $actual";
	print "$fragment\t$symbol=$value\t$why\n";
}
