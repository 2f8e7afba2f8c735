#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# What campaign.sh knows: which test comes to which mutant, which of them were
# tried, and what became of them.  All of it lies in one folder:
#
#   list      of generate.pl                    dropped   ids that do not compile
#   map-RIG   suite test status seconds way numbers       known-RIG  messages
#   results   id rig verdict suite:test how     (tabs; killed, lived, unreached;
#             how a mutant lived is the number of tests that it met)
#   sample    ids; when it is there, only these are tried and reported
#
# usage: plan.pl FOLDER unmapped RIG TESTS  the lines of TESTS that were not mapped yet
#        plan.pl FOLDER map RIG LOG STATUS  read a machine's console: the tests
#        plan.pl FOLDER read RIG LOG STATUS  ... the mutants; STATUS: ended, hung or stopped
#        plan.pl FOLDER next RIG COUNT PATIENCE  work for guest.sh; nothing: none left
#        plan.pl FOLDER drop LOG           give up mutants that the compiler refuses
#        plan.pl FOLDER sample COUNT OBJECTS  the first of those that are built, by id
#        plan.pl FOLDER report JUDGED OBJECTS  Markdown; JUDGED: mutants/judged.txt
use strict;
use warnings;

my ($folder, $command, @arguments) = @ARGV;
die "usage: plan.pl FOLDER map|read|next|drop|report ...\n" unless defined $command;

sub lines {
	my ($path) = @_;
	open my $file, '<', $path or return ();
	chomp(my @lines = <$file>);
	tr/\r\0//d for @lines;
	return @lines;
}
sub append {
	my ($path, @lines) = @_;
	open my $file, '>>', $path or die "$path: $!\n";
	print $file map { "$_\n" } @lines;
	close $file or die "$path: $!\n";
}

my (@list, %by_number, %by_id);
for (lines("$folder/list")) {
	my %mutant;
	@mutant{qw(number id place kind function what span)} = split /\t/;
	@mutant{qw(file line)} = $mutant{place} =~ /^(.*):(\d+)$/;
	push @list, \%mutant;
	$by_number{ $mutant{number} } = $by_id{ $mutant{id} } = \%mutant;
}
my %dropped = map { (split /\t/)[0] => 1 } lines("$folder/dropped");
my %sample = map { $_ => 1 } lines("$folder/sample");
my @chosen = grep { !%sample || $sample{ $_->{id} } } @list;
# Last of all: a killed one stays killed.
my (%verdict, %kills, %met);
for (lines("$folder/results")) {
	my ($id, $rig, $what, $test, $how) = split /\t/;
	$verdict{$id}{$rig} = $what;
	$met{$id}{$rig} = $how if $what eq 'lived' && $how =~ /^\d+$/;
	next if $what ne 'killed';
	$verdict{$id}{killed} //= [$rig, $test, $how];
	$kills{$rig}{$test}++;
}

my %commands = (map => \&read_map, unmapped => \&unmapped, read => \&read_results, next => \&next_work, sample => \&sample, drop => \&drop, report => \&report);
($commands{$command} // die "plan.pl: unknown command $command\n")->(@arguments);

# What was mapped before is kept; a test that ended the machine comes to nothing.
sub read_map {
	my ($rig, $log, $status) = @_;
	my ($open, @mapped, %known);
	for (lines($log)) {
		if (/\@campaign maps (\S+ \S+)/) { $open = $1 }
		elsif (/^\@campaign mapped (.*)/) { push @mapped, $1; undef $open }
		elsif (/^\@campaign known (.*)/) { $known{$1} = 1 }
	}
	push @mapped, "$open died 0 - -" if defined $open && $status ne 'stopped';
	die "no test was mapped, see $log\n" unless @mapped || $status eq 'stopped';
	delete @known{ lines("$folder/known-$rig") };
	append("$folder/known-$rig", sort keys %known);
	append("$folder/map-$rig", @mapped);
	my @all = lines("$folder/map-$rig");
	my $passed = grep { (split ' ')[2] eq 'pass' } @all;
	my %reached = map { $_ => 1 } map { split /,/, (split ' ')[5] } @all;
	delete $reached{'-'};
	print "# rig $rig: $passed of ", scalar @all, ' tests pass, they come to ', scalar keys %reached, ' of ', scalar @list, " mutants\n";
}

sub unmapped {
	my ($rig, $tests) = @_;
	my %mapped = map { (join ' ', (split ' ')[0, 1]) => 1 } lines("$folder/map-$rig");
	print map { "$_\n" } grep { !$mapped{ s/^map //r } } lines($tests);
}

sub read_results {
	my ($rig, $log, $status) = @_;
	my ($open, $test, @results, $crash, %tried);
	for (lines($log)) {
		# What a program prints may stand in front of it.
		if (/\@campaign tries (\d+) (\S+)/) { ($open, $test) = ($1, $2); $tried{$1}++ }
		elsif (/\@campaign killed (\d+) (\S+) (.*)/) { push @results, [$1, 'killed', $2, $3]; undef $open }
		elsif (/\@campaign lived (\d+)/) { push @results, [$1, 'lived', '-', $tried{$1} // 0]; undef $open }
		elsif (/\@campaign again .* without a mutant/ && @results > 1) {
			# Perhaps an earlier one did it: try the last one in a new machine.
			pop @results;
		}
		elsif (/(Kernel panic - not syncing.*|BUG: .*|Oops: .*|general protection fault.*)/) { $crash //= substr $1, 0, 100 }
	}
	push @results, [$open, 'killed', $test, $crash ? "crash: $crash" : $status eq 'hung' ? 'hang' : 'the machine ended'] if defined $open && $status ne 'stopped';
	append("$folder/results", map { my $id = $by_number{ $_->[0] }{id}; tr/\t/ / for @$_; join "\t", $id, $rig, @$_[1 .. 3] } @results);
	print '# ', scalar(grep { $_->[1] eq 'killed' } @results), ' killed, ', scalar(grep { $_->[1] eq 'lived' } @results), " lived on rig $rig\n";
	exit(@results || $status eq 'stopped' ? 0 : 3);
}

sub next_work {
	my ($rig, $count, $patience) = @_;
	my (%tests, @unreached, @work);
	for (lines("$folder/map-$rig")) {
		my ($suite, $test, $status, $seconds, $way, $numbers) = split ' ';
		next if $status ne 'pass' || $numbers eq '-';
		push @{ $tests{$_} }, ["$suite:$test", $seconds, $way] for split /,/, $numbers;
	}
	# By id, which is as good as at random: what was tried when the time is up says
	# something about all.
	for my $mutant (sort { $a->{id} cmp $b->{id} } @chosen) {
		my $id = $mutant->{id};
		next if $dropped{$id} || $verdict{$id}{killed} || $verdict{$id}{$rig} && $verdict{$id}{$rig} ne 'lived';
		my $tests = $tests{ $mutant->{number} };
		if (!$tests) { push @unreached, "$id\t$rig\tunreached\t-\t-" unless $verdict{$id}{$rig}; next }
		next if @work >= $count;
		# What killed most so far first, then what is quick.
		my ($spent, @steps) = (0);
		for (sort { ($kills{$rig}{ $b->[0] } // 0) / ($b->[1] + 1) <=> ($kills{$rig}{ $a->[0] } // 0) / ($a->[1] + 1) ||
				$a->[1] <=> $b->[1] || $a->[0] cmp $b->[0] } @$tests) {
			last if $patience && @steps && $spent + $_->[1] > $patience;
			$spent += $_->[1];
			push @steps, "$_->[0]:$_->[2]";
		}
		# With more patience it may meet more tests than it has.
		next if $verdict{$id}{$rig} && @steps <= ($met{$id}{$rig} // 0);
		push @work, "mutant $mutant->{number} @steps";
	}
	append("$folder/results", @unreached);
	return unless @work;
	print "known $_\n" for lines("$folder/known-$rig");
	print "$_\n" for @work;
}

# An id says nothing about the mutant, so the first of them are as good as any.
sub sample {
	my ($count, $objects) = @_;
	my %object = map { $_ => 1 } lines($objects);
	my @ids = sort map { $_->{id} } grep { $object{ $_->{file} } && !$dropped{ $_->{id} } } @list;
	$#ids = $count - 1 if @ids > $count;
	open my $file, '>', "$folder/sample" or die "$folder/sample: $!\n";
	print $file map { "$_\n" } @ids;
	close $file or die "$folder/sample: $!\n";
}

# What the compiler refuses, or takes with a warning that types do not fit, is no
# mutant: first those that put one thing in place of another, then all of a line.
sub drop {
	my ($log) = @_;
	my (%bad, @drop);
	for (lines($log)) {
		next unless m{^(?:.*?/)?((?:[\w.-]+/)+[\w.-]+\.c):(\d+):(?:\d+:)? (error|warning): (.*)};
		my ($file, $line, $what, $text) = ($1, $2, $3, $4);
		$bad{$file}{$line} = $text if $what eq 'error' || $text =~ /mismatch|makes \w+ from|incompatible|discards/;
	}
	for my $stage (qr/^(?:exchange|flag|return)$/, qr/./) {
		for my $mutant (@list) {
			next if $dropped{ $mutant->{id} } || $mutant->{kind} !~ $stage;
			my ($from, $to) = $mutant->{span} =~ /(\d+)-(\d+)/;
			# The place in the list is without the tree's folder.
			for my $file (grep { $mutant->{file} =~ /\Q$_\E$/ || $_ =~ /\Q$mutant->{file}\E$/ } keys %bad) {
				my ($line) = grep { $_ >= $from && $_ <= $to } sort { $a <=> $b } keys %{ $bad{$file} };
				push @drop, "$mutant->{id}\t$mutant->{place}\t$mutant->{kind}\t$bad{$file}{$line}" if $line;
			}
		}
		last if @drop;
	}
	append("$folder/dropped", @drop);
	print scalar @drop, "\n";
}

# How many are killed of those that a test could kill, or does not come to.
sub print_score {
	my ($built, $equivalent, %all) = @_;
	my ($killed, $unreached, $left) = map { $_ // 0 } @all{ 'killed', 'not reached', 'not run' };
	my $met = $killed + ($all{alive} // 0) + ($all{judged} // 0) - $equivalent;
	my $share = sub { $_[0] ? sprintf '%.0f %%', 100 * $killed / $_[0] : '–' };
	my $size = $met + $equivalent + $unreached + $left;
	print $size < $built ? "The first $size by id of $built mutants that are built" : "All $built mutants that are built",
		", of ", scalar @list, ". Without $equivalent that are equivalent, $killed are killed of $met: ", $share->($met),
		"; of ", $met + $unreached, " with the $unreached that no test comes to: ", $share->($met + $unreached),
		$left ? ". $left have not run" : '', ".\n\n";
}

sub report {
	my ($judged, $objects) = @_;
	my %judged = map { /^([0-9a-f]{8})\s+(equivalent|accepted):?\s+(.*)/ ? ($1 => [$2, $3]) : () } lines($judged);
	my %object = map { $_ => 1 } lines($objects);
	my (%count, @alive, @unreached, @judged);
	my $built = grep { $object{ $_->{file} } && !$dropped{ $_->{id} } } @list;
	my $equivalent = 0;
	for my $mutant (@chosen) {
		my ($id, $file) = @$mutant{qw(id file)};
		my $seen = $verdict{$id} // {};
		my $what = $dropped{$id} ? 'no C' : !$object{$file} ? 'not built' : $seen->{killed} ? 'killed' :
			$judged{$id} ? 'judged' : !%$seen ? 'not run' : (grep { $_ eq 'lived' } values %$seen) ? 'alive' : 'not reached';
		$count{$file}{$what}++;
		$count{all}{$what}++;
		push @alive, $mutant if $what eq 'alive';
		push @unreached, $mutant if $what eq 'not reached';
		push @judged, $mutant if $what eq 'judged';
		$equivalent++ if $what eq 'judged' && $judged{$id}[0] eq 'equivalent';
	}
	print_score($built, $equivalent, %{ $count{all} });
	my @columns = ('killed', 'alive', 'not reached', 'judged', 'not run', 'not built', 'no C');
	print "| file | ", join(' | ', @columns), " |\n|---|", '---:|' x @columns, "\n";
	for my $file ((sort grep { $_ ne 'all' } keys %count), 'all') {
		print "| $file | ", join(' | ', map { $count{$file}{$_} // 0 } @columns), " |\n";
	}
	for (['Alive', \@alive], ['Not reached by any test', \@unreached]) {
		my ($title, $mutants) = @$_;
		next unless @$mutants;
		print "\n$title:\n\n| id | line | kind | what | tests met |\n|---|---|---|---|---:|\n";
		for my $mutant (@$mutants) {
			(my $what = $mutant->{what}) =~ s/\|/\\|/g;
			my $met = $met{ $mutant->{id} } // {};
			print "| $mutant->{id} | $mutant->{place} | $mutant->{kind} | `$what` | ",
				join(', ', map { "$_ $met->{$_}" } sort keys %$met), " |\n";
		}
	}
	return unless @judged;
	print "\nJudged:\n\n| id | line | what | verdict |\n|---|---|---|---|\n";
	for my $mutant (@judged) {
		(my $what = $mutant->{what}) =~ s/\|/\\|/g;
		print "| $mutant->{id} | $mutant->{place} | `$what` | $judged{ $mutant->{id} }[0]: $judged{ $mutant->{id} }[1] |\n";
	}
}
