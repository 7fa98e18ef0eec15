// Owns the filter of system calls that systemd would make of the unit, as the kernel takes it:
// SystemCallFilter, MemoryDenyWriteExecute and RestrictAddressFamilies, in classic BPF over struct
// seccomp_data. It is made here because a machine whose init is not systemd has nobody else to make
// it; under-filter.pl beside this file puts a process under it.
//
// The numbers of the calls are asked of the C compiler that links the executables, because they
// differ between x64 and arm64.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using Tests.Integration.Harness;
using Xunit;

namespace Tests.Integration.Deploy;

/// <summary>A filter, instruction by instruction.</summary>
internal sealed class CallFilter
{
    private const int LoadWord = 0x20;
    private const int JumpIfEqual = 0x15;
    private const int And = 0x54;
    private const int Return = 0x06;
    private const uint Allow = 0x7fff_0000;
    private const uint Refuse = 0x0005_0000;
    private const uint NotPermitted = 1;
    private const uint FamilyNotSupported = 97;
    private const uint NumberAt = 0;
    private const uint Executable = 4;
    private const uint WritableAndExecutable = 6;

    private static readonly Dictionary<string, uint> Families =
        new() { ["AF_UNIX"] = 1, ["AF_INET"] = 2 };

    private readonly List<ulong> _code = [];
    private readonly Dictionary<string, uint> _numbers = Numbers();

    /// <summary>The filter of the unit.</summary>
    public CallFilter(SystemdUnit unit)
    {
        Assert.Equal("EPERM", unit["Service", "SystemCallErrorNumber"]);
        Assert.Equal("yes", unit["Service", "MemoryDenyWriteExecute"]);
        RefuseIf("mmap", 2, WritableAndExecutable);
        RefuseIf("mprotect", 2, Executable);
        RefuseIf("pkey_mprotect", 2, Executable);
        AllowFamilies(unit["Service", "RestrictAddressFamilies"].Split(' '));
        Add(LoadWord, NumberAt);
        // systemd, too, leaves out the calls that this architecture does not have.
        foreach (var name in unit.AllowedSystemCalls().Where(_numbers.ContainsKey))
        {
            Add(JumpIfEqual, _numbers[name], onFalse: 1);
            Add(Return, Allow);
        }
        Add(Return, Refuse | NotPermitted);
    }

    /// <summary>The number of a system call on this architecture.</summary>
    public uint this[string call] => _numbers[call];

    public void Write(string path) =>
        File.WriteAllBytes(path, [.. _code.SelectMany(BitConverter.GetBytes)]);

    /// <summary>Refuses a call that has all of these bits in one of its arguments.</summary>
    private void RefuseIf(string call, uint argument, uint bits)
    {
        Add(LoadWord, NumberAt);
        Add(JumpIfEqual, _numbers[call], onFalse: 4);
        Add(LoadWord, ArgumentAt(argument));
        Add(And, bits);
        Add(JumpIfEqual, bits, onFalse: 1);
        Add(Return, Refuse | NotPermitted);
    }

    private void AllowFamilies(string[] families)
    {
        Add(LoadWord, NumberAt);
        Add(JumpIfEqual, _numbers["socket"], onFalse: (byte)(2 + families.Length));
        Add(LoadWord, ArgumentAt(0));
        for (var i = 0; i < families.Length; i++)
            Add(JumpIfEqual, Families[families[i]], onTrue: (byte)(families.Length - i));
        Add(Return, Refuse | FamilyNotSupported);
    }

    /// <summary>The low half of an argument: number, architecture and address come first.</summary>
    private static uint ArgumentAt(uint argument) => 16 + 8 * argument;

    private void Add(int operation, uint value, byte onTrue = 0, byte onFalse = 0) => _code.Add(
        (uint)operation | (ulong)onTrue << 16 | (ulong)onFalse << 24 | (ulong)value << 32);

    private static Dictionary<string, uint> Numbers()
    {
        using var compiler = new ManagedProcess(
            "sh", ["-c", "$(command -v gcc || command -v clang) -E -dM -include sys/syscall.h "
                + "-x c /dev/null"]);
        Assert.True(compiler.WaitForExit() == 0, compiler.Tail());
        var defined = compiler.Lines.Select(line => line.Split(' '))
            .Where(words => words.Length == 3
                && words[1].StartsWith("__NR", StringComparison.Ordinal))
            .ToDictionary(words => words[1], words => words[2]);
        var numbers = new Dictionary<string, uint>();
        foreach (var (name, value) in defined)
        {
            // On arm64 some are told by another name's number.
            var number = defined.GetValueOrDefault(value, value);
            if (name.StartsWith("__NR_", StringComparison.Ordinal) && uint.TryParse(
                number, NumberStyles.None, CultureInfo.InvariantCulture, out var parsed))
                numbers[name[5..]] = parsed;
        }
        return numbers;
    }
}
