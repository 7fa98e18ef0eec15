# Runs a command under a filter of system calls, as systemd does for a unit's SystemCallFilter: FILE
# holds the filter's instructions, NUMBER is that of prctl. It is written in Perl because every
# Debian has it and it can make any system call: perl under-filter.pl NUMBER FILE COMMAND...

use strict;
use warnings;

my ($prctl, $file, @command) = @ARGV;
open my $in, '<:raw', $file or die "$file: $!";
my $code = do { local $/; <$in> };
close $in;

# struct sock_fprog: how many instructions of 8 bytes, and where they are.
my $program = pack 'S x6 P', length($code) / 8, $code;
my ($no_new_privileges, $seccomp, $filter) = (38, 22, 2);
syscall($prctl, $no_new_privileges, 1, 0, 0, 0) == 0 or die "no new privileges: $!";
syscall($prctl, $seccomp, $filter, $program, 0, 0) == 0 or die "filter: $!";
exec { $command[0] } @command or die "$command[0]: $!";
