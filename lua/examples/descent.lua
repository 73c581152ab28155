-- A solver of one's own: `pare solve P --method lua:lua/examples/descent.lua --max-drop 0.02`
-- Starts at the widest levels. Each round lowers every group by one level, one at a time, measures these neighbours and goes to the one
-- that saves the most bytes among those within the budget; ends when none is. settings.rounds (--set rounds=N) bounds it.
return function(problem, settings, state, told)
    local n_levels = #problem.levels
    local function cell(g, l)
        return (g - 1) * n_levels + l
    end
    local function bytes(config)
        local sum = 0
        for g, l in ipairs(config) do
            sum = sum + problem.bytes[cell(g, l)]
        end
        return sum
    end
    -- the next narrower level that this group may have, or nil
    local function lower(g, l)
        for k = l + 1, n_levels do
            if problem.bytes[cell(g, k)] then
                return k
            end
        end
    end

    if not state then
        local start = {}
        for g = 1, #problem.groups do
            start[g] = lower(g, 0)
        end
        state = { at = start, asked = {}, round = 0 }
    else
        local best
        for i, config in ipairs(state.asked) do
            local quality = told[i]
            if quality and quality <= (settings.quality_limit or math.huge) and bytes(config) < bytes(best or state.at) then
                best = config
            end
        end
        if not best or state.round >= (settings.rounds or 5) then
            return { done = true, answers = { best or state.at }, state = state }
        end
        state.at = best
    end

    state.round = state.round + 1
    state.asked = {}
    for g, l in ipairs(state.at) do
        local k = lower(g, l)
        if k then
            local neighbour = {}
            for i, level in ipairs(state.at) do
                neighbour[i] = level
            end
            neighbour[g] = k
            state.asked[#state.asked + 1] = neighbour
        end
    end
    if #state.asked == 0 then
        return { done = true, answers = { state.at }, state = state }
    end
    return { ask = state.asked, state = state }
end
