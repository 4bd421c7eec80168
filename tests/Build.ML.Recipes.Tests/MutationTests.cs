using System.Diagnostics;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Tests;

public sealed class MutationTests : IDisposable
{
    readonly RecipeFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Mutated_recipes_end_in_a_recipe_or_a_diagnostic()
    {
        var (recipes, refused) = (0, 0);
        for (var seed = 0; seed < 3000; seed++)
        {
            var text = RecipeMutator.Mutate(RecipeFolder.Example, seed);
            var started = Stopwatch.GetTimestamp();
            try
            {
                _folder.Parse(text, new Dictionary<string, string> { ["X"] = "y" });
                recipes++;
            }
            catch (DiagnosticException e)
            {
                Assert.NotEmpty(e.Diagnostics);
                Assert.All(e.Diagnostics, d => Assert.StartsWith("BML1", d.Code, StringComparison.Ordinal));
                refused++;
            }
            catch (Exception e)
            {
                Assert.Fail($"Seed {seed} ended in {e}");
            }

            // A hostile text takes some milliseconds; half a minute is a hang even on a busy machine.
            Assert.True(Stopwatch.GetElapsedTime(started).TotalSeconds < 30, $"Seed {seed} took {Stopwatch.GetElapsedTime(started)}.");
        }

        Assert.True(recipes > 50 && refused > 1000, $"{recipes} recipes, {refused} refused: the mutations are too mild or too wild to tell anything.");
    }

    [Fact]
    public void Nested_aliases_that_stand_for_a_billion_nodes_are_refused_in_little_memory()
    {
        var bomb = "a0: &a0 [x, x]\n" + string.Concat(Enumerable.Range(1, 12).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n"));
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Assert.Single(_folder.Errors(bomb));

        Assert.Contains("BML1003 Expands to more than", error, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 50_000_000);
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("? ")]
    [InlineData("- ")]
    public void A_hundred_thousand_levels_end_in_an_error_not_in_a_stack_overflow(string opening) =>
        Assert.NotEmpty(_folder.Errors(string.Concat(Enumerable.Repeat(opening, 100_000))));
}
