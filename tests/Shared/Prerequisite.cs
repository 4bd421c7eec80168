namespace Build.ML.TestSupport;

/// <summary>Skips a test, with the reason, where the machine lacks something that a plain machine need not have.</summary>
public static class Prerequisite
{
    /// <summary>Environment variable; when <c>1</c>, a missing prerequisite fails the test instead of skipping it (CI sets it).</summary>
    public const string FailOnSkip = "BUILDML_FAIL_ON_SKIP";

    /// <summary>Skips the running test (which must be a <c>[SkippableFact]</c> or <c>[SkippableTheory]</c>) unless <paramref name="met"/>.</summary>
    /// <param name="met">Whether the prerequisite is there.</param>
    /// <param name="reason">What is missing and the command that installs it.</param>
    public static void Require(bool met, string reason)
    {
        if (!met && Environment.GetEnvironmentVariable(FailOnSkip) == "1")
            Assert.Fail($"{reason} ({FailOnSkip}=1 turns skips into failures)");
        Skip.IfNot(met, reason);
    }
}
