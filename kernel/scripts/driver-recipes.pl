#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# What the driver.json files of out-of-tree drivers say.
#
# usage: driver-recipes.pl DIR             every driver in DIR, a line of JSON each, by name:
#                                          name, and version, folder and modules, or error
#        driver-recipes.pl --driver DIR    of the driver DIR: version, folder and modules with
#                                          tabs between; status 1 and what is wrong otherwise
#
# A driver is a folder: its source, and driver.json with "version", "modules" (the
# names of those that a machine loads, in that order) and, where the modules are not
# built at its top, "folder".
use strict;
use warnings;
use JSON::PP;

my $MAX_BYTES = 65536;

# recipe(FILE) -- a hash, with "error" where something is wrong with it.
sub recipe {
	my ($file) = @_;
	my $wrong = sub { return { error => "driver.json: $_[0]" } };
	return $wrong->("it has more than $MAX_BYTES bytes") if (-s $file // 0) > $MAX_BYTES;
	open(my $in, '<', $file) or return $wrong->("it cannot be read: $!");
	my $recipe = eval { JSON::PP->new->decode(do { local $/; <$in> }) };
	return $wrong->('it is no JSON object') if ref $recipe ne 'HASH';
	my ($version, $folder, $modules) = @$recipe{qw(version folder modules)};
	$folder //= '.';
	return $wrong->('version: expected up to 64 letters, digits and . _ + -')
		unless defined $version && !ref $version && $version =~ /\A[A-Za-z0-9._+-]{1,64}\z/;
	return $wrong->('folder: expected a path inside of the driver')
		unless !ref $folder && $folder =~ m{\A[A-Za-z0-9._/-]{1,200}\z} && $folder !~ m{\A/|(?:\A|/)\.\.(?:/|\z)};
	return $wrong->('modules: expected one to sixteen names')
		unless ref $modules eq 'ARRAY' && @$modules >= 1 && @$modules <= 16
			&& !grep { !defined || ref || !/\A[a-z0-9][a-z0-9_-]{0,55}\z/ } @$modules;
	return { version => "$version", folder => $folder, modules => [ map { "$_" } @$modules ] };
}

if (@ARGV == 2 && $ARGV[0] eq '--driver') {
	my $recipe = recipe("$ARGV[1]/driver.json");
	if (defined $recipe->{error}) {
		print "$recipe->{error}\n";
		exit 1;
	}
	print join("\t", @$recipe{qw(version folder)}, "@{$recipe->{modules}}"), "\n";
	exit 0;
}
if (@ARGV != 1 || !-d $ARGV[0]) {
	print STDERR "usage: driver-recipes.pl DIR | --driver DIR\n";
	exit 2;
}
my $json = JSON::PP->new->canonical->ascii;
for my $folder (grep { -d } sort glob("\Q$ARGV[0]\E/*")) {
	my ($name) = $folder =~ m{([^/]*)\z};
	if ($name !~ /\A[a-z0-9][a-z0-9-]{0,39}\z/) {
		(my $shown = $name) =~ s/[^ -~]/?/g;
		print STDERR "the driver '$shown' is left out: expected up to 40 small letters, digits and - as the name of its folder\n";
		next;
	}
	print $json->encode({ name => $name, %{recipe("$folder/driver.json")} }), "\n";
}
